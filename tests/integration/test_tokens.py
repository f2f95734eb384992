"""What a CI hands to a job is out of a build's reach: tokens in variables and in files, the socket of the engine."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.integration import places, small

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("runner")]

TOKEN = "ghs_thisIsTheTokenOfTheJob"

# Where a CI puts it: variables, and files that it leaves beside a checkout.
VARIABLES = dict.fromkeys(("GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "CI_JOB_TOKEN", "INPUT_TOKEN"), TOKEN)
FILES = {
    # As actions/checkout leaves it, where `persist-credentials` is not false.
    "checkout/.git/config": f'[http "https://github.com/"]\n\textraheader = AUTHORIZATION: basic {TOKEN}\n',
    "home/.docker/config.json": f'{{"auths": {{"ghcr.io": {{"auth": "{TOKEN}"}}}}}}\n',
    "home/.netrc": f"machine gitlab.com login gitlab-ci-token password {TOKEN}\n",
    "checkout.tmp/CI_JOB_TOKEN": f"{TOKEN}\n",
}
# A job's directories on GitHub and GitLab lie in such places; each is the same directory.
SEEN = ("/home/runner/work", "/builds", "/mnt/job", "/run/job", "/srv/job", "/opt-job")

# Tells where the token is: in its own variables, in those of any process, in any file that is the caller's. The token
# does not stand in the script, nor in the arguments of a program, which would find themselves.
SEEK = f"""\
#!/bin/sh
umask 077
place=$(mktemp -d /tmp/seek.XXXXXX)
printf %s%s {shlex.quote(TOKEN[:9])} {shlex.quote(TOKEN[9:])} > "$place/sought"
seek() {{ grep --no-messages --files-with-matches --file="$place/sought" --exclude=sought "$@"; }}
{{
    env | seek --label=env -
    seek /proc/[0-9]*/environ /proc/[0-9]*/cmdline
    seek -r --devices=skip /proc/[0-9]*/root/home /proc/[0-9]*/cwd/.git
    seek -r --devices=skip /home /root /builds /mnt /run /srv /tmp /var /opt-job
    for socket in /run/docker.sock /var/run/docker.sock; do test -S $socket && echo $socket; done
}} | sort --unique | sed "s|^|FOUND ${{0##*/}} |" >&2
rm -r "$place"
case ${{0##*/}} in configure) cat ;; esac
exit 0
"""

# Each kind of script sees something else of the machine: `sync` is given /home and /run.
KINDS = ("configure", "sync", "prepare", "build", "postinst", "finalize", "postoutput")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A job's directory, whose checkout looks for the token with every script that mkosi knows."""
    place = tmp_path / "base"
    small.custom(place / "checkout", "true")
    small.write(place / "checkout", {f"images/mkosi.{kind}": SEEK for kind in KINDS})
    for name, text in FILES.items():
        small.write(place, {name: (place / name).read_text() + text if (place / name).exists() else text})
    small.write(place, {"seek": SEEK})
    return place


def options(base: Path) -> tuple[str, ...]:
    mounts = (f"--volume={base}:{path}" for path in SEEN)
    variables = (f"--env={name}={value}" for name, value in VARIABLES.items())
    socket = "--volume=/var/run/docker.sock:/run/docker.sock"
    return (*mounts, socket, f"--env=HOME={SEEN[0]}/home", *variables)


def found(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("FOUND ")]


@pytest.mark.parametrize("runner", places.RUNNERS)
def test_no_script_of_a_build_finds_the_token(base: Path, runner: str) -> None:
    with places.opened(runner, base, *options(base), variables=VARIABLES) as place:
        if place.within:
            # Whoever is outside of the build finds it everywhere.
            seek = ("docker", "exec", place.within, f"{SEEN[0]}/seek")
            outside = subprocess.run(seek, capture_output=True, text=True, check=True).stderr
            for where in ("env", "/proc/1/environ", *(f"{path}/{name}" for path in SEEN for name in FILES)):
                assert f"FOUND seek {where}" in outside
            assert "FOUND seek /run/docker.sock" in outside
        checkout = Path(SEEN[0] if place.within else base, "checkout")
        completed = place.build(checkout / "images")
        assert completed.returncode == 0, completed.stderr
        ran = re.findall(r"Running (\S+) script", completed.stderr)
        assert set(ran) >= {"configure", "sync", "prepare", "build", "postinstall", "finalize", "post-output"}
        assert found(completed.stderr) == []


@pytest.mark.parametrize("runner", ["container", "unprivileged"])
def test_no_file_beside_the_checkout_gets_into_the_image(base: Path, runner: str) -> None:
    with places.opened(runner, base, *options(base), variables=VARIABLES) as place:
        for tree in (base / "checkout/.git", base / "home"):
            completed = place.build(base / "checkout/images", "--", f"--extra-tree={tree}:/taken")
            assert completed.returncode == 4, completed.stderr
            assert f"Extra tree {tree} not found" in completed.stderr, completed.stderr
    assert not (base / "output").exists()
