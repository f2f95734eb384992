"""Hashes of passwords, by the programs that make them."""

import os
from pathlib import Path

import pytest
from bench import cause, changed, finding, run, shows

SHADOW = "root:{}:{}:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n"


def sha512(password: str = "secret") -> str:
    return run("openssl", "passwd", "-6", "-stdin", stdin=password.encode()).decode().strip()


def shadow(hashed: str, day: int = 20_000) -> bytes:
    return SHADOW.format(hashed, day).encode()


@pytest.mark.parametrize("method", ["-1", "-5", "-6", "-apr1"])
def test_one_password_hashed_twice_by_openssl_has_another_salt(method: str) -> None:
    first, second = (run("openssl", "passwd", method, "secret").decode().strip() for _ in range(2))
    expected = "unknown" if method == "-apr1" else "password-salt"  # no login takes Apache's
    assert cause(changed("etc/shadow", shadow(first), shadow(second))) == expected


@pytest.mark.parametrize("method", ["yescrypt", "gost-yescrypt", "scrypt", "bcrypt", "sha512crypt", "sha256crypt"])
def test_one_password_hashed_twice_by_mkpasswd_has_another_salt(method: str) -> None:
    first, second = (run("mkpasswd", "-m", method, "secret").decode().strip() for _ in range(2))
    assert cause(changed("etc/shadow", shadow(first), shadow(second))) == "password-salt"


@shows("password-salt", by="openssl")
def test_the_fix_is_a_hash_that_is_made_once() -> None:
    told = finding(changed("etc/shadow", shadow(sha512()), shadow(sha512())))
    assert told.fix == '[Content]\nRootPassword=hashed:<what one run of "openssl passwd -6" printed>'


def test_a_hash_of_the_image_is_not_told_to_the_world() -> None:
    first, second = sha512(), sha512()
    told = finding(changed("etc/shadow", shadow(first), shadow(second)))
    assert first not in repr(told)
    assert second not in repr(told)


def test_another_users_password_is_not_roots() -> None:
    line = "user:{}:20000:0:99999:7:::\n"
    told = finding(changed("etc/shadow", line.format(sha512()).encode(), line.format(sha512()).encode()))
    assert told.cause == "password-salt"
    assert "RootPassword" not in told.fix
    assert "usermod" in told.fix


@pytest.mark.parametrize("directory", ["usr/lib/credstore", "etc/credstore"])
def test_the_credential_has_a_salt_as_well(directory: str) -> None:
    name = f"{directory}/passwd.hashed-password.root"
    told = finding(changed(name, sha512().encode(), sha512().encode()))
    assert told.cause == "password-salt"
    assert "RootPassword=hashed:" in told.fix


def test_the_backup_of_shadow_is_removed_besides() -> None:
    told = finding(changed("etc/shadow-", shadow(sha512()), shadow(sha512())))
    assert told.cause == "password-salt"
    assert "RootPassword=hashed:" in told.fix
    assert "RemoveFiles=/etc/shadow-" in told.fix


def test_a_day_that_differs_besides_the_salt_is_mentioned() -> None:
    told = finding(changed("etc/shadow", shadow(sha512(), 20_000), shadow(sha512(), 20_001)))
    assert told.cause == "password-salt"
    assert "day" in told.explanation
    assert "mkosi.finalize" in told.fix


@shows("shadow-date", by="chage")
def test_the_day_alone_is_a_cause_of_its_own(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("chage --root needs root")
    files = []
    for name, day in (("a", "2026-07-01"), ("b", "2026-07-02")):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n")
        (tmp_path / name / "etc/shadow").write_bytes(shadow("*"))
        run("chage", "--root", tmp_path / name, "--lastday", day, "root")
        files.append((tmp_path / name / "etc/shadow").read_bytes())
    told = finding(changed("etc/shadow", *files))
    assert told.cause == "shadow-date"
    assert "sed" in told.fix


def test_the_advised_line_makes_two_days_equal(tmp_path: Path) -> None:
    told = finding(changed("etc/shadow", shadow("*", 20_000), shadow("*", 20_001)))
    line = next(line for line in told.fix.splitlines() if line.startswith("sed "))
    results = []
    for day in (20_000, 20_001):
        root = str(tmp_path)
        run("mkdir", "-p", f"{root}/etc")
        run("tee", f"{root}/etc/shadow", stdin=shadow("*", day))
        run("sh", "-c", line, environment={"BUILDROOT": root})
        results.append(run("cat", f"{root}/etc/shadow"))
    assert results[0] == results[1]
    assert results[0].startswith(b"root:*::0:99999:7:::\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("*", "!"),
        ("plain", "other"),
        ("$6$salt$" + "a" * 86, "$6$salt$" + "b" * 86),  # another password under one salt
        ("$6$salt$" + "a" * 86, "$6$pepper$" + "b" * 40),
        ("$6$salt$" + "a" * 86, "$5$pepper$" + "b" * 43),
        ("$6$rounds=1000$salt$" + "a" * 86, "$6$rounds=2000$pepper$" + "b" * 86),
    ],
)
def test_hashes_that_differ_in_more_than_salt_are_unknown(before: str, after: str) -> None:
    assert cause(changed("etc/shadow", shadow(before), shadow(after))) == "unknown"


def test_a_user_more_is_unknown() -> None:
    assert cause(changed("etc/shadow", shadow("*"), shadow("*") + b"more:*:20000:0:99999:7:::\n")) == "unknown"


def test_a_salt_beside_another_change_is_unknown() -> None:
    other = shadow(sha512()).replace(b"daemon:*:", b"daemon:!:")
    assert cause(changed("etc/shadow", shadow(sha512()), other)) == "unknown"


def test_a_salted_hash_in_another_file_is_not_shadows() -> None:
    assert cause(changed("etc/other", shadow(sha512()), shadow(sha512()))) == "unknown"
