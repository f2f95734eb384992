# Runs in the image under test, as root: waits until systemd has started all that it starts, tells what became of it,
# runs the checks, and tells how each ended. A record is one line, "ci-toolkit KIND NAME BASE64", on the serial port $1.
# $2 is the directory of the credentials; after it comes the interpreter of each check, which is a credential too.
stty -F "$1" raw -echo clocal 2> /dev/null
exec > "$1" 2> /dev/null < /dev/null
credentials=$2
shift 2
output=$RUNTIME_DIRECTORY/output
export LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER=

# put KIND NAME: what comes in, cut to its last 256 KiB, as a record.
put() {
    printf 'ci-toolkit %s %s ' "$1" "$2"
    tail -c 262144 | base64 | tr -d '\n'
    echo
}

# The sockets that listen come first, which thousands of connections may follow.
listed() { head -c 262144 "/proc/net/$1"; }

printf '' | put hello -
while state=$(systemctl is-system-running); [ "$state" = initializing ] || [ "$state" = starting ]; do sleep 1; done
echo "$state" | put state -
systemd-analyze time | put time -
systemctl list-units --failed --plain --no-legend --no-pager | put failed -
for table in tcp tcp6 udp udp6; do [ ! -r /proc/net/$table ] || listed $table | put net $table; done

number=0
for interpreter; do
    # shellcheck disable=SC2086 # the interpreter may have an argument
    $interpreter "$credentials/ci-toolkit.check.$number" > "$output" 2>&1
    code=$?
    put output $number < "$output"
    echo $code | put ended $number
    number=$((number + 1))
done

journalctl --boot --no-pager --output=short-monotonic --lines=5000 | put journal -
printf '' | put end -
