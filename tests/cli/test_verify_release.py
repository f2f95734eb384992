import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keys
import pytest
import recorded
import served
from call import Call
from keys import Keys

from ci_toolkit.errors import ExitCode, UnreadableError, UsageError
from ci_toolkit.mkosi.build import Artefact
from ci_toolkit.records import stored, verdict
from ci_toolkit.records.verdict import Platform, Verdict

pytestmark = pytest.mark.slow

IMAGE = b"an image" * 100_000


@pytest.fixture(scope="module")
def ring() -> Iterator[Keys]:
    with keys.made("release", "alice", "bob", "stranger") as made:
        yield made


class Release:
    """A release in a directory, as a server hands it out; its record is signed with all else through SHA256SUMS."""

    def __init__(self, place: Path, ring: Keys) -> None:
        self.place, self.ring = place, ring
        place.mkdir()
        (place / "cloud.raw").write_bytes(IMAGE)
        self.record = replace(
            recorded.RECORD,
            outputs=(Artefact(name="cloud.raw", size=len(IMAGE), sha256=hashlib.sha256(IMAGE).hexdigest()),),
        )
        stored.write(self.record, place)
        self.seal()

    def seal(self) -> None:
        names = sorted(path.name for path in self.place.iterdir() if path.suffix in (".raw", ".json"))
        listed = subprocess.run(("sha256sum", *names), cwd=self.place, check=True, capture_output=True).stdout
        (self.place / "SHA256SUMS").write_bytes(listed)
        (self.place / "SHA256SUMS.asc").write_bytes(self.ring.sign("release", listed))

    def judged(self, by: str, name: str, **changes: object) -> None:
        """Let BY publish a verdict of the release as NAME."""
        record = hashlib.sha256((self.place / "build-record.json").read_bytes()).hexdigest()
        one = Verdict(
            same=True,
            record=record,
            vouched="",
            image="cloud.raw",
            repository=None,
            commit=None,
            outputs=verdict.outputs(self.record.outputs, self.record.outputs),
            because=(),
            though=(),
            platform=Platform(machine="x86_64", runner="vm", toolkit="0.1.0", container_image=None, place=""),
            rebuilt_at=0,
        )
        text = verdict.render(replace(one, **changes)).encode()  # type: ignore[arg-type]
        (self.place / "verdicts").mkdir(exist_ok=True)
        (self.place / "verdicts" / name).write_bytes(text)
        (self.place / "verdicts" / f"{name}.asc").write_bytes(self.ring.sign(by, text))
        with (self.place / "verdicts.txt").open("a", encoding="utf-8") as index:
            index.write(f"# by {by}\nverdicts/{name}\n\n")


@pytest.fixture
def release(ring: Keys, tmp_path: Path) -> Release:
    return Release(tmp_path / "release", ring)


@pytest.fixture
def call(tmp_path: Path, ring: Keys) -> Call:
    for name in ("release", "alice", "bob", "stranger"):
        (tmp_path / f"{name}.asc").write_bytes(ring.public(name))
    return Call(tmp_path, "local/laptop")


def verified(call: Call, release: Release, *arguments: str, key: str = "release") -> int:
    with served.directory(release.place) as address:
        return call("verify-release", address, "--key", str(call.folder / f"{key}.asc"), *arguments)


def quorum(call: Call, number: int, *names: str) -> tuple[str, ...]:
    known = (word for name in names for word in ("--rebuilder-key", str(call.folder / f"{name}.asc")))
    return ("--quorum", str(number), *known)


def test_a_release_as_it_should_be_passes(call: Call, release: Release) -> None:
    assert verified(call, release) == ExitCode.FINE
    assert "NO " not in call.shown
    assert "all 4 checks passed" in call.shown
    assert "warning" not in call.said


def test_the_address_alone_is_enough_but_nobody_vouches(call: Call, release: Release) -> None:
    with served.directory(release.place) as address:
        assert call("verify-release", address) == ExitCode.FINE
    assert "Nobody vouches" in call.said
    assert "no --key to check it by" in call.shown


def test_a_directory_is_checked_as_well_with_a_fingerprint(call: Call, release: Release, ring: Keys) -> None:
    listed = ring.gpg("--with-colons", "--list-keys", "release@example.org").decode()
    name = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    call.environ["GNUPGHOME"] = str(ring.home)
    assert call("verify-release", str(release.place), "--key", name) == ExitCode.FINE
    assert f"by {name}" in call.shown


@pytest.mark.parametrize("case", ["image", "missing", "sums", "signature", "no signature", "key", "record"])
def test_what_is_wrong_fails_and_is_named(call: Call, release: Release, case: str) -> None:
    place, key = release.place, "release"
    match case:
        case "image":
            with (place / "cloud.raw").open("r+b") as file:
                file.write(b"another image")
        case "missing":
            (place / "cloud.raw").unlink()
        case "sums":
            content = (place / "SHA256SUMS").read_bytes()
            (place / "SHA256SUMS").write_bytes(content + b"\n")
        case "signature":
            (place / "SHA256SUMS.asc").write_bytes(release.ring.sign("release", b"other"))
        case "no signature":
            (place / "SHA256SUMS.asc").unlink()
        case "key":
            key = "stranger"
        case "record":
            stored.write(recorded.RECORD, place)  # of another image of that name
            release.seal()
        case _:
            raise AssertionError(case)
    assert verified(call, release, key=key) == ExitCode.POLICY
    (line,) = (line for line in call.shown.splitlines() if line.startswith("NO "))
    named = {"image": "cloud.raw", "missing": "cloud.raw", "record": "build-record.json"}.get(case, "signature")
    assert named in line.split()[1]
    assert "1 of " in call.shown


def test_two_who_rebuilt_it_are_a_quorum_of_two(call: Call, release: Release) -> None:
    release.judged("alice", "one.json")
    release.judged("bob", "two.json")
    assert verified(call, release, *quorum(call, 2, "alice", "bob")) == ExitCode.FINE
    assert "2 of 2 rebuilt the same bits" in call.shown


def test_one_who_says_it_twice_is_one(call: Call, release: Release) -> None:
    release.judged("alice", "one.json")
    release.judged("alice", "two.json", rebuilt_at=1)
    assert verified(call, release, *quorum(call, 2, "alice", "bob")) == ExitCode.POLICY
    assert "1 of 2 rebuilt the same bits" in call.shown


@pytest.mark.parametrize(
    "case", ["stranger", "other record", "other bits", "unsigned", "tampered", "no verdict", "outside"]
)
def test_what_does_not_count_is_told_and_the_quorum_lacks_it(call: Call, release: Release, case: str) -> None:
    release.judged("alice", "one.json")
    place = release.place / "verdicts"
    match case:
        case "stranger":
            release.judged("stranger", "two.json")
        case "other record":
            release.judged("bob", "two.json", record="0" * 64)
        case "other bits":
            others = (Artefact(name="cloud.raw", size=1, sha256="0" * 64),)
            release.judged("bob", "two.json", outputs=verdict.outputs(others, others))
        case "unsigned":
            release.judged("bob", "two.json")
            (place / "two.json.asc").unlink()
        case "tampered":
            release.judged("bob", "two.json", rebuilt_at=1)
            (place / "two.json").write_text(
                (place / "two.json").read_text().replace('"rebuilt_at": 1', '"rebuilt_at": 2')
            )
        case "no verdict":
            release.judged("bob", "two.json")
            (place / "two.json").write_text("{}")
        case "outside":
            (release.place / "verdicts.txt").write_text(
                "verdicts/one.json\n../../etc/passwd\n/etc/passwd\nhttp://127.0.0.1.evil.example/x\n"
            )
        case _:
            raise AssertionError(case)
    assert verified(call, release, *quorum(call, 2, "alice", "bob")) == ExitCode.POLICY
    assert "1 of 2 rebuilt the same bits" in call.shown


def test_one_who_rebuilt_other_bits_spoils_it(call: Call, release: Release) -> None:
    release.judged("alice", "one.json")
    others = (Artefact(name="cloud.raw", size=1, sha256="0" * 64),)
    release.judged("bob", "two.json", same=False, outputs=verdict.outputs(release.record.outputs, others))
    assert verified(call, release, *quorum(call, 1, "alice", "bob")) == ExitCode.POLICY
    assert "1 rebuilt others" in call.shown


def test_a_verdict_may_lie_elsewhere(call: Call, release: Release) -> None:
    release.judged("alice", "one.json")
    elsewhere = call.folder / "elsewhere"
    (release.place / "verdicts").rename(elsewhere)
    (release.place / "verdicts.txt").unlink()
    with served.directory(elsewhere) as address:
        for where in (str(elsewhere / "one.json"), f"{address}one.json"):
            words = ("--verdict", where, *quorum(call, 1, "alice"))
            assert verified(call, release, *words) == ExitCode.FINE


def test_a_quorum_takes_keys_that_are_trusted(call: Call, release: Release) -> None:
    with pytest.raises(UsageError, match="quorum 2"):
        verified(call, release, *quorum(call, 2, "alice"))


@pytest.mark.parametrize("wrong", [False, True])
def test_of_several_images_in_one_release_each_files_name_has_the_images(
    call: Call, release: Release, *, wrong: bool
) -> None:
    (release.place / "build-record.json").rename(release.place / "cloud.build-record.json")
    (release.place / "cloud.raw").rename(release.place / "cloud.cloud.raw")
    (release.place / "cloud.raw").write_text("another image")  # of another record, which has its own name before it
    if wrong:
        (release.place / "cloud.cloud.raw").write_text("not what the record says")
    release.seal()
    assert verified(call, release) == (ExitCode.POLICY if wrong else ExitCode.FINE)
    assert ("has another SHA-256 for cloud.raw" in call.shown) == wrong


def test_where_there_is_no_release_it_is_told_in_one_line(call: Call, tmp_path: Path) -> None:
    for where in ("http://example.org/", str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(UnreadableError) as refused:
            call("verify-release", where)
        assert "\n" not in refused.value.message
