"""Random identities, by the programs that make them."""

import os
from pathlib import Path

import pytest
from bench import cause, changed, contained, differs, finding, run, shows

from ci_toolkit.compare.difference import Field


def machine_id(root: Path) -> bytes:
    (root / "etc").mkdir(parents=True)
    (root / "etc/machine-id").touch()
    run("systemd-machine-id-setup", "--root", root)
    return (root / "etc/machine-id").read_bytes()


def test_ids_by_systemd_are_machine_ids(tmp_path: Path) -> None:
    # --root= takes the id of a container manager or hypervisor where there is one: then both are equal.
    first, second = machine_id(tmp_path / "a"), machine_id(tmp_path / "b")
    if first == second:
        pytest.skip("systemd-machine-id-setup takes over the id that this machine was given")
    told = finding(changed("etc/machine-id", first, second))
    assert told.cause == "machine-id"
    assert "[Content]\nRemoveFiles=/etc/machine-id" in told.fix


@shows("machine-id", by="dbus-uuidgen")
@shows("dbus-machine-id", by="dbus-uuidgen")
def test_ids_by_dbus_are_machine_ids() -> None:
    first, second = (run("dbus-uuidgen") for _ in range(2))
    told = finding(changed("var/lib/dbus/machine-id", first, second))
    assert told.cause == "dbus-machine-id"
    assert told.fix == "[Content]\nRemoveFiles=/var/lib/dbus/machine-id"
    assert cause(changed("etc/machine-id", b"uninitialized\n", second)) == "machine-id"
    assert cause(differs("etc/machine-id", Field.PRESENCE, None, "file")) == "machine-id"


def test_what_is_no_id_is_unknown_even_there() -> None:
    assert cause(changed("etc/machine-id", b"a sentence\n", b"another one\n")) == "unknown"
    assert cause(changed("etc/other-id", run("dbus-uuidgen"), run("dbus-uuidgen"))) == "unknown"


# What systemd's own tools leave in an image where a script calls them.
SECRETS = """
/usr/lib/systemd/systemd-random-seed save
systemd-creds setup --quiet
mkdir -p /efi/EFI
SYSTEMD_RELAX_ESP_CHECKS=1 bootctl --quiet --esp-path=/efi --variables=no random-seed
cp /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /efi/loader/random-seed .
chmod 644 ./*
"""


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes]]:
    """The secrets of two systems; the seed of the ESP is the one file of its name that is written last."""
    found: dict[str, list[bytes]] = {}
    for name in ("a", "b"):
        place = tmp_path_factory.mktemp(name)
        script = SECRETS.replace("/efi/loader/random-seed .", ". && cp /efi/loader/random-seed esp-seed")
        contained("systemd", script, place)
        for file in ("random-seed", "credential.secret", "esp-seed"):
            found.setdefault(file, []).append((place / file).read_bytes())
    return {file: (before, after) for file, (before, after) in found.items()}


@shows("random-seed", by="systemd")
def test_a_saved_seed_is_random(secrets: dict[str, tuple[bytes, bytes]]) -> None:
    told = finding(changed("var/lib/systemd/random-seed", *secrets["random-seed"]))
    assert told.fix == "[Content]\nRemoveFiles=/var/lib/systemd/random-seed"


@shows("credential-secret", by="systemd")
def test_the_key_of_credentials_is_random(secrets: dict[str, tuple[bytes, bytes]]) -> None:
    told = finding(changed("var/lib/systemd/credential.secret", *secrets["credential.secret"]))
    assert told.fix == "[Content]\nRemoveFiles=/var/lib/systemd/credential.secret"


@shows("esp-random-seed", by="systemd")
def test_the_seed_of_the_boot_loader_is_random(secrets: dict[str, tuple[bytes, bytes]]) -> None:
    told = finding(changed(("1:esp", "loader/random-seed"), *secrets["esp-seed"], container="vfat"))
    assert told.fix == "[Content]\nRemoveFiles=/efi/loader/random-seed\nRemoveFiles=/boot/loader/random-seed"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@shows("ssh-host-key", by="ssh-keygen")
def test_keys_by_ssh_keygen_are_host_keys(tmp_path: Path, kind: str) -> None:
    for name in ("a", "b"):
        run(
            "ssh-keygen",
            "-q",
            "-t",
            kind,
            *(("-b", "1024") if kind == "rsa" else ()),
            "-N",
            "",
            "-C",
            "root@host",
            "-f",
            tmp_path / name,
        )
    for suffix in ("", ".pub"):
        first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
        told = finding(changed(f"etc/ssh/ssh_host_{kind}_key{suffix}", first, second))
        assert told.cause == "ssh-host-key"
        assert "[Content]\nRemoveFiles=/etc/ssh/ssh_host_*\n" in told.fix
        elsewhere = "private-key" if suffix == "" else "unknown"
        assert cause(changed(f"home/user/.ssh/id_{kind}{suffix}", first, second)) == elsewhere


@shows("dropbear-host-key", by="dropbearkey")
def test_keys_by_dropbearkey_are_host_keys(tmp_path: Path) -> None:
    keys = []
    for name in ("a", "b"):
        run("dropbearkey", "-t", "ed25519", "-f", tmp_path / name)
        keys.append((tmp_path / name).read_bytes())
    told = finding(changed("etc/dropbear/dropbear_ed25519_host_key", *keys))
    assert told.cause == "dropbear-host-key"
    assert told.fix.startswith("[Content]\nRemoveFiles=/etc/dropbear/dropbear_*_host_key\n")
    assert cause(changed("etc/dropbear/dropbear_ed25519_host_key", b"one", b"two")) == "unknown"


@shows("private-key", by="openssl")
def test_keys_by_openssl_are_private() -> None:
    first, second = (run("openssl", "genpkey", "-algorithm", "ed25519") for _ in range(2))
    told = finding(changed("etc/ssl/private/thing.key", first, second))
    assert told.cause == "private-key"
    assert told.fix.startswith("[Content]\nRemoveFiles=/etc/ssl/private/thing.key\n")
    assert cause(changed("etc/ssl/private/thing.key", first, b"no key\n")) == "unknown"
    assert first.decode().splitlines()[1] not in repr(told)
    note = b"# a note\n"
    assert cause(changed("etc/ssl/private/thing.key", first, note + second)) == "unknown"
    assert cause(changed("a.tar", b"\0" + first, b"\0" + second, opened=True)) == "unknown"


@shows("nvme-host-id", by="nvme")
def test_ids_by_nvme_are_the_hosts() -> None:
    first, second = (run("nvme", "gen-hostnqn") for _ in range(2))
    if first == second:
        pytest.skip("nvme takes the id that this machine's mainboard has")
    told = finding(changed("etc/nvme/hostnqn", first, second))
    assert told.cause == "nvme-host-id"
    assert told.fix == "[Content]\nRemoveFiles=/etc/nvme/hostnqn"
    assert cause(differs("etc/nvme/hostid", Field.PRESENCE, None, "file")) == "nvme-host-id"
    assert cause(changed("etc/nvme/hostnqn", first, b"nqn.other\n")) == "unknown"


@shows("iscsi-initiator-name", by="iscsi-iname")
def test_names_by_iscsi_iname_are_random(tmp_path: Path) -> None:
    first, second = (b"InitiatorName=" + run("iscsi-iname") for _ in range(2))
    told = finding(changed("etc/iscsi/initiatorname.iscsi", first, second))
    assert told.cause == "iscsi-initiator-name"
    (tmp_path / "etc/iscsi").mkdir(parents=True)
    run("sh", "-c", told.fix.splitlines()[-1], environment={"BUILDROOT": os.fspath(tmp_path)})
    assert (tmp_path / "etc/iscsi/initiatorname.iscsi").read_text() == "GenerateName=yes\n"


def test_the_configuration_of_ssh_is_no_key() -> None:
    assert cause(changed("etc/ssh/sshd_config", b"Port 22\n", b"Port 23\n")) == "unknown"
    assert cause(changed("etc/ssh/ssh_host_rsa_key", b"one", b"two")) == "unknown"


def test_random_uuids_in_a_text_are_named() -> None:
    first, second = (Path("/proc/sys/kernel/random/uuid").read_bytes() for _ in range(2))
    assert cause(changed("etc/thing.conf", b"id=" + first, b"id=" + second)) == "random-uuid"
    assert cause(changed("etc/thing.conf", b"id=" + first, b"other=" + second)) == "unknown"


def test_uuids_that_are_not_random_are_unknown() -> None:
    text = "id=6ba7b810-9dad-11d1-80b4-00c04fd43{}\n"
    assert cause(changed("etc/thing.conf", text.format("0c8").encode(), text.format("0c9").encode())) == "unknown"


@shows("random-uuid", by="systemd-id128")
def test_random_ids_without_dashes_are_named() -> None:
    first, second = (run("systemd-id128", "new") for _ in range(2))
    assert cause(changed("etc/thing.conf", b"id=" + first, b"id=" + second)) == "random-uuid"
    assert cause(changed("etc/thing.conf", b"md5=" + b"0" * 32, b"md5=" + b"1" * 32)) == "unknown"
