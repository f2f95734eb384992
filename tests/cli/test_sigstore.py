"""release, publish and verify-release with Sigstore, as they are called; its own command judges what people get."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_sigstore
import pytest
from call import Call
from fake_runner import FakeRunner
from fake_sigstore import IDENTITY, ISSUER, FakeSigstore
from forge_server import Answer, Fault
from keys import made

from ci_toolkit.cli import main
from ci_toolkit.errors import ExitCode, ForgeError, UsageError

pytestmark = pytest.mark.slow
Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def sigstore() -> Iterator[FakeSigstore]:
    with fake_sigstore.opened() as fake:
        yield fake


@pytest.fixture
def call(tmp_path: Path, sigstore: FakeSigstore) -> Call:
    (tmp_path / "trust.json").write_text(sigstore.trust(), encoding="utf-8")
    return Call(tmp_path, "local/laptop", CI_TOOLKIT_DATE="2026-11-28", **sigstore.environ)


def trusting(call: Call) -> tuple[str, str]:
    return "--trust-config", str(call.folder / "trust.json")


def release(call: Call, *arguments: str) -> int:
    to = f"dir:{call.folder / 'mirror'}"
    return call("release", str(call.folder / "images"), "--to", to, "--sigstore", *trusting(call), *arguments)


def published(call: Call) -> Path:
    return call.folder / "mirror/2026.11.28"


def files(call: Call) -> Path:
    folder = call.folder / "files"
    folder.mkdir()
    (folder / "a.raw").write_text("a", encoding="utf-8")
    return folder


def publish(call: Call, *arguments: str) -> int:
    to = ("--to", f"dir:{call.folder / 'mirror'}")
    return call("publish", str(call.folder / "files"), *to, *arguments)


def verify(call: Call, *, identity: str = IDENTITY, issuer: str = ISSUER) -> int:
    return call("verify-release", str(published(call)), "--identity", identity, "--issuer", issuer, *trusting(call))


def judged(call: Call, line: str) -> bool:
    """Tell whether Sigstore's own command takes what was published, called by the LINE that the notes have."""
    words = shlex.split(line)
    assert words[0] == "sigstore"
    shutil.copy(call.folder / "trust.json", published(call))
    argv = (sys.executable, "-m", *words)
    return subprocess.run(argv, cwd=published(call), capture_output=True, check=False).returncode == 0


def test_the_notes_of_a_release_have_the_line_by_which_sigstores_own_command_takes_it(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    assert release(call) == ExitCode.FINE
    assert "SHA256SUMS.sigstore.json" in {path.name for path in published(call).iterdir()}
    assert f"Signed by {IDENTITY}, as {ISSUER} knows it" in call.said
    notes = (call.output / "notes.md").read_text(encoding="utf-8")
    line = next(part for part in notes.replace("\n", " && ").split(" && ") if part.startswith("sigstore "))
    assert "gpg" not in notes
    assert judged(call, line)
    assert verify(call) == ExitCode.FINE
    assert "Nobody vouches" not in call.said
    listed = published(call) / "SHA256SUMS"
    listed.write_bytes(listed.read_bytes().replace(b"0", b"1", 1))
    assert not judged(call, line)
    assert verify(call) == ExitCode.POLICY


def test_a_key_and_sigstore_both_sign_and_either_is_checked(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "same"))
    with made("images") as ring:
        call.environ["CI_TOOLKIT_SIGNING_KEY"] = ring.secret("images")
        assert release(call) == ExitCode.FINE
        public = call.folder / "images.asc"
        public.write_bytes(ring.public("images"))
    notes = (call.output / "notes.md").read_text(encoding="utf-8")
    assert "gpg --verify SHA256SUMS.asc SHA256SUMS && sigstore --trust-config trust.json verify identity" in notes
    assert call("verify-release", str(published(call)), "--key", str(public)) == ExitCode.FINE
    assert "ok  signature by Sigstore" in call.shown
    assert "no --identity and --issuer to check it by" in call.shown
    assert verify(call) == ExitCode.FINE
    assert "there is one, and no --key" in call.shown
    assert "Nobody vouches" not in call.said
    assert call("verify-release", str(published(call))) == ExitCode.FINE
    assert "Nobody vouches" in call.said


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [(f"{IDENTITY}x", ISSUER), (IDENTITY, "https://gitlab.com"), ("https://github.com/", ISSUER)],
    ids=["branch", "issuer", "prefix"],
)
def test_what_somebody_else_has_signed_fails(call: Call, identity: str, issuer: str) -> None:
    files(call)
    assert publish(call, "--sigstore", *trusting(call)) == ExitCode.FINE
    assert verify(call, identity=identity, issuer=issuer) == ExitCode.POLICY
    (line,) = (line for line in call.shown.splitlines() if line.startswith("NO "))
    assert "signature by Sigstore" in line
    assert verify(call) == ExitCode.FINE


def test_another_sigstore_has_signed_nothing(call: Call) -> None:
    files(call)
    assert publish(call, "--sigstore", *trusting(call)) == ExitCode.FINE
    with fake_sigstore.opened() as other:
        (call.folder / "trust.json").write_text(other.trust(), encoding="utf-8")
    assert verify(call) == ExitCode.POLICY
    assert "by another Sigstore" in call.shown


@pytest.mark.parametrize("content", [None, b"", b"{}", b"x" * (2 << 20)])
def test_no_bundle_and_one_that_is_none_are_told(call: Call, content: bytes | None) -> None:
    files(call)
    publish(call)
    if content is not None:
        (published(call) / "SHA256SUMS.sigstore.json").write_bytes(content)
    assert verify(call) == ExitCode.POLICY
    assert "1 of " in call.shown


@pytest.mark.parametrize(
    "words",
    [("--identity", IDENTITY), ("--issuer", ISSUER), ("--identity", "", "--issuer", ISSUER), ("--trust-config", "x")],
)
@pytest.mark.parametrize("verb", ["verify-release", "rebuild"])
def test_an_identity_is_nothing_without_who_knows_it(call: Call, verb: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--identity and --issuer"):
        call(verb, str(call.folder), *words)


def test_what_has_changed_is_not_published_with_the_signature_of_what_it_was(call: Call) -> None:
    folder = files(call)
    assert publish(call, "--sigstore", *trusting(call)) == ExitCode.FINE
    (folder / "a.raw").write_text("another", encoding="utf-8")
    assert publish(call, "--version", "2026.12.12") == ExitCode.FINE
    later = call.folder / "mirror/2026.12.12"
    assert {path.name for path in later.iterdir()} == {"a.raw", "SHA256SUMS"}


def test_the_same_call_again_finds_it_published(call: Call) -> None:
    files(call)
    for _ in range(2):
        assert publish(call, "--sigstore", *trusting(call)) == ExitCode.FINE
    assert verify(call) == ExitCode.FINE


def test_where_nobody_says_who_signs_nothing_is_built(call: Call, use: Use) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        del call.environ[name]
    with pytest.raises(UsageError, match="no token"):
        release(call)
    call.environ["SIGSTORE_ID_TOKEN"] = "x"
    (call.folder / "trust.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="no trust configuration"):
        release(call)
    assert runner.place is None


def test_what_is_refused_publishes_nothing_and_is_gone_on_with(call: Call, use: Use, sigstore: FakeSigstore) -> None:
    runner = use(FakeRunner(lambda _: "same"))
    sigstore.server.faults.append(Fault(method="POST", answer=Answer(status=401, content={"message": "no"})))
    with pytest.raises(ForgeError, match="refuses"):
        release(call)
    assert not (call.folder / "mirror").exists()
    assert runner.place is not None
    assert release(call, "--resume") == ExitCode.FINE
    assert len(runner.place.built) == 2
    assert verify(call) == ExitCode.FINE


def test_a_run_without_sigstore_does_not_go_on_with_one_that_signs(
    call: Call, use: Use, sigstore: FakeSigstore
) -> None:
    use(FakeRunner(lambda _: "same"))
    sigstore.server.faults.append(Fault(method="POST", answer=Answer(status=401, content={"message": "no"})))
    with pytest.raises(ForgeError):
        release(call)
    to = f"dir:{call.folder / 'mirror'}"
    with pytest.raises(UsageError, match="another call"):
        call("release", str(call.folder / "images"), "--to", to, "--resume")


def test_a_dry_run_names_the_step_and_asks_nobody(call: Call, sigstore: FakeSigstore) -> None:
    assert release(call, "--dry-run") == ExitCode.FINE
    assert "sign SHA256SUMS by Sigstore, without a key" in call.shown
    assert sigstore.server.requests == []


def test_a_trust_configuration_alone_is_of_no_use(call: Call) -> None:
    files(call)
    with pytest.raises(UsageError, match="without --sigstore"):
        publish(call, *trusting(call))


def test_a_token_is_never_shown(call: Call) -> None:
    call.environ["SIGSTORE_ID_TOKEN"] = "a-secret-0123456789"
    files(call).joinpath("a-secret-0123456789").touch()
    with pytest.raises(ForgeError) as refused:
        publish(call, "--sigstore", *trusting(call))
    assert "a-secret" not in call.said + call.shown + refused.value.message


@pytest.mark.parametrize("verb", ["release", "publish", "verify-release", "rebuild"])
def test_the_library_is_loaded_only_where_it_is_asked_for(verb: str) -> None:
    module = main.VERBS[verb][0]
    script = f"import sys; import {module}; from ci_toolkit.publish import signing; print('sigstore' in sys.modules)"
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
