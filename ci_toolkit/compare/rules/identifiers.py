"""Random identities of a machine: ids, seeds, keys."""

import re
import struct
from typing import Final

from ci_toolkit.compare.difference import Content, Difference, Field, Value
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.droppings import dropping
from ci_toolkit.compare.rules.remedy import Remedy, advice, remove, render, script, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_MACHINE_ID: Final = re.compile(rb"(?:[0-9a-f]{32}|uninitialized)?\n?")
_PRIVATE_KEY: Final = re.compile(r"^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----$", re.MULTILINE)
_PEM: Final = re.compile(r"^-----BEGIN ([A-Z0-9 ]+)-----\n[^-]*-----END \1-----$", re.MULTILINE)
# How a key in Dropbear's own format begins: the name of its kind, with its length in front.
_DROPBEAR_KINDS: Final = (
    b"ssh-ed25519",
    b"ssh-rsa",
    b"ssh-dss",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
)
_ETC_ID: Final = "etc/machine-id"
_DBUS_ID: Final = "var/lib/dbus/machine-id"
_ISCSI: Final = "etc/iscsi/initiatorname.iscsi"
_NVME: Final = ("etc/nvme/hostid", "etc/nvme/hostnqn")
_ESP_SEEDS: Final = ("/efi/loader/random-seed", "/boot/loader/random-seed")
_FIRST_BOOT_KEYS: Final = advice("New keys are made at first boot by a unit that runs `ssh-keygen -A` before sshd.")


def _is_machine_id(difference: Difference, _facts: Facts) -> bool:
    return places.matches(difference.path, _ETC_ID) and _holds_ids(difference)


def _is_dbus_id(difference: Difference, _facts: Facts) -> bool:
    return places.matches(difference.path, _DBUS_ID) and _holds_ids(difference)


def _holds_ids(difference: Difference) -> bool:
    return all(_looks_like_machine_id(value) for value in (difference.before, difference.after))


def _looks_like_machine_id(value: Value) -> bool:
    match value:
        case Content():
            return value.whole is not None and _MACHINE_ID.fullmatch(value.whole) is not None
        case str() | None:  # one side lacks it
            return True
        case _:
            return False


def _machine_id_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return (*remove(difference), _NO_MACHINE_ID)


def _dbus_id_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return remove(difference)


_NO_MACHINE_ID: Final = advice(
    "Better: let no script write it, and leave MachineId= out; mkosi then writes `uninitialized` into it, "
    "and each machine makes its own at first boot."
)

MACHINE_ID: Final = Rule(
    cause=Cause(
        identifier="machine-id",
        title="A machine id was made during the build",
        explanation="The machine id is random, and belongs to a machine that has booted, not to an image of many.",
        fix=render((setting("Content", "RemoveFiles=/etc/machine-id"), _NO_MACHINE_ID)),
        source="https://www.freedesktop.org/software/systemd/man/latest/machine-id.html",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.PRESENCE),
    recognise=_is_machine_id,
    globs=(_ETC_ID,),
    remedies=_machine_id_remedies,
)

DBUS_MACHINE_ID: Final = Rule(
    cause=Cause(
        identifier="dbus-machine-id",
        title="D-Bus made a machine id of its own",
        explanation="D-Bus makes a random id when it is installed and finds none; without the file it takes that of "
        "/etc/machine-id.",
        fix=render((setting("Content", "RemoveFiles=/var/lib/dbus/machine-id"),)),
        source="https://github.com/systemd/mkosi/commit/22726958",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.PRESENCE),
    recognise=_is_dbus_id,
    globs=(_DBUS_ID,),
    remedies=_dbus_id_remedies,
)

RANDOM_SEED: Final = dropping(
    identifier="random-seed",
    title="A random seed is in the image",
    explanation="The seed is random by nature, and every machine that boots the image would begin with the same one.",
    globs=("var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/random-seed"),
    source="https://systemd.io/BUILDING_IMAGES/",
)

CREDENTIAL_SECRET: Final = dropping(
    identifier="credential-secret",
    title="The key of the host's credentials is in the image",
    explanation="systemd-creds makes a random key at its first call, and every machine that boots the image would "
    "encrypt its credentials with the same one.",
    globs=("var/lib/systemd/credential.secret",),
    source="https://systemd.io/BUILDING_IMAGES/",
)

ESP_SEED: Final = dropping(
    identifier="esp-random-seed",
    title="The boot loader's random seed is in the image",
    explanation="bootctl puts a random seed on the ESP when it installs the boot loader, "
    "and every machine that boots the image would begin with the same one.",
    globs=("loader/random-seed", "boot/loader/random-seed", "efi/loader/random-seed"),
    removes=_ESP_SEEDS,
    source="https://github.com/systemd/mkosi/commit/3c710dd2",
)

SSH_HOST_KEY: Final = dropping(
    identifier="ssh-host-key",
    title="SSH host keys are in the image",
    explanation="Installing an SSH server makes random host keys, "
    "and every machine that boots the image would share them.",
    globs=("etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub"),
    magics=(b"-----BEGIN ", b"ssh-", b"ecdsa-sha2-"),
    removes=("/etc/ssh/ssh_host_*",),
    extra=(_FIRST_BOOT_KEYS,),
    source="https://github.com/flashbots/flashbots-images/commit/effa3ed",
)

DROPBEAR_KEY: Final = dropping(
    identifier="dropbear-host-key",
    title="Dropbear's host keys are in the image",
    explanation="Dropbear makes random host keys when it is installed, "
    "and every machine that boots the image would share them.",
    globs=("etc/dropbear/dropbear_*_host_key",),
    magics=tuple(struct.pack(">I", len(name)) + name for name in _DROPBEAR_KINDS),
    removes=("/etc/dropbear/dropbear_*_host_key",),
    extra=(advice("New keys are made at the first login where dropbear runs with -R."),),
    source="https://github.com/mkj/dropbear/blob/master/manpages/dropbear.8",
)


def _is_private_key(difference: Difference, _facts: Facts) -> bool:
    """Equal texts but for blocks of base64, of which one at least is a private key."""
    pair = contents.texts(difference)
    if pair is None or difference.opened or not all("PRIVATE KEY-----" in text for text in pair):
        return False
    if not all(_PRIVATE_KEY.search(text) for text in pair):
        return False
    return _PEM.sub("", pair[0]) == _PEM.sub("", pair[1])


def _private_key_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return (*remove(difference), _KEY_AT_BOOT)


_KEY_AT_BOOT: Final = advice("Have a unit with ConditionFirstBoot= make the key, on each machine its own.")

PRIVATE_KEY: Final = Rule(
    cause=Cause(
        identifier="private-key",
        title="A private key was made during the build",
        explanation="A private key is random by nature, and every machine that boots the image would share it.",
        fix=render((setting("Content", "RemoveFiles=/etc/ssl/private/*"), _KEY_AT_BOOT)),
        source="https://systemd.io/BUILDING_IMAGES/",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_private_key,
    remedies=_private_key_remedies,
)

# With dashes, or without them as systemd-id128 writes it.
_UUID: Final = re.compile(
    r"(?<![0-9A-Fa-f-])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{32})(?![0-9A-Fa-f-])"
)
# RFC 9562: the digit that says version 4 and the two bits of the variant.
_RANDOM_UUID: Final = re.compile(r".{8}-?.{4}-?4.{3}-?[89ABab].{3}-?.{12}")


def _is_random_uuid(difference: Difference, _facts: Facts) -> bool:
    """Equal texts but for UUIDs that say of themselves that they are random."""
    lines = contents.changed_lines(difference)
    if not lines or not _only_uuids_differ(difference):
        return False
    pairs = (pair for before, after in lines for pair in zip(_UUID.findall(before), _UUID.findall(after), strict=True))
    return all(_RANDOM_UUID.fullmatch(uuid) for pair in pairs if pair[0] != pair[1] for uuid in pair)


def _only_uuids_differ(difference: Difference) -> bool:
    lines = contents.changed_lines(difference)
    return bool(lines) and all(_UUID.sub("", before) == _UUID.sub("", after) for before, after in lines or ())


RANDOM_UUID: Final = Rule(
    cause=Cause(
        identifier="random-uuid",
        title="A random UUID is written into a text",
        explanation="The texts are equal but for UUIDs of version 4, which are random numbers.",
        fix=render(
            (
                advice(
                    "Remove the file with RemoveFiles=, or derive the UUID: "
                    "`uuidgen --sha1 --namespace @url --name <the image's address>`."
                ),
            )
        ),
        source="https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_random_uuid,
)


def _is_iscsi_name(difference: Difference, _facts: Facts) -> bool:
    lines = contents.changed_lines(difference)
    if not lines or not places.matches(difference.path, _ISCSI):
        return False
    return all(line.startswith("InitiatorName=iqn.") for pair in lines for line in pair)


ISCSI_NAME: Final = Rule(
    cause=Cause(
        identifier="iscsi-initiator-name",
        title="An iSCSI initiator name was made during the build",
        explanation="open-iscsi makes a random initiator name when it is installed.",
        fix=render((script("""echo GenerateName=yes > "$BUILDROOT/etc/iscsi/initiatorname.iscsi\""""),)),
        source="https://github.com/gardenlinux/gardenlinux/commit/60956f2a0",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_iscsi_name,
    globs=(_ISCSI,),
)


def _is_nvme_host(difference: Difference, _facts: Facts) -> bool:
    if not places.matches(difference.path, *_NVME):
        return False
    if difference.field is Field.PRESENCE:
        return "file" in (difference.before, difference.after)
    return _only_uuids_differ(difference)  # of any version: it is the mainboard's where that has one


def _nvme_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return remove(difference)


NVME_HOST: Final = Rule(
    cause=Cause(
        identifier="nvme-host-id",
        title="An NVMe host id was made during the build",
        explanation="nvme-cli makes a host id when it is installed: a random one, or that of the machine that builds.",
        fix=render(
            (setting("Content", "RemoveFiles=/etc/nvme/hostid"), setting("Content", "RemoveFiles=/etc/nvme/hostnqn"))
        ),
        source="https://github.com/linux-nvme/nvme-cli",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT, Field.PRESENCE),
    recognise=_is_nvme_host,
    globs=_NVME,
    remedies=_nvme_remedies,
)
