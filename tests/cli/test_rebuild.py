import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import keys
import pytest
from call import Call
from fake_runner import FakeRunner

from ci_toolkit.errors import BuildError, ExitCode, UnreadableError, UsageError
from ci_toolkit.records import verdict
from ci_toolkit.records.openpgp import KEY_VARIABLE

Use = Callable[[FakeRunner], FakeRunner]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """An image that was built from a repository, and published."""
    call = Call(tmp_path, "local/laptop")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message=one")):
        argv = ("git", "-C", str(tmp_path / "images"), "-c", "user.name=T", "-c", "user.email=t@example.org", *words)
        subprocess.run(argv, check=True, capture_output=True)
    return call


def rebuild(call: Call, use: Use, content: str, *arguments: str) -> int:
    use(FakeRunner(lambda _: "an image\n"))
    assert call("build", "--output", str(call.folder / "published")) == ExitCode.FINE
    use(FakeRunner(lambda _: content))
    words = ("--source", str(call.folder / "images"), "--output", str(call.folder / "rebuild"))
    return call("rebuild", str(call.folder / "published"), *words, *arguments)


def test_the_same_is_fine_and_the_verdict_is_in_the_output(call: Call, use: Use) -> None:
    assert rebuild(call, use, "an image\n") == ExitCode.FINE
    assert call.shown.endswith(": same\n")
    assert verdict.parse((call.folder / "rebuild/rebuild-verdict.json").read_bytes()).same
    assert not (call.folder / "rebuild/rebuild-verdict.json.asc").exists()


def test_another_is_not_and_a_report_is_left(call: Call, use: Use) -> None:
    assert rebuild(call, use, "another\n") == ExitCode.POLICY
    found = json.loads((call.folder / "rebuild/rebuild-verdict.json").read_text())
    assert found["verdict"] == "different"
    assert (call.folder / "rebuild/report.html").exists()


@pytest.mark.slow
def test_the_verdict_is_signed_where_there_is_a_key(call: Call, use: Use, tmp_path: Path) -> None:
    with keys.made("alice") as ring:
        call.environ[KEY_VARIABLE] = ring.secret("alice")
        assert rebuild(call, use, "an image\n") == ExitCode.FINE
        written = tmp_path / "rebuild/rebuild-verdict.json"
        ring.gpg("--verify", f"{written}.asc", written)


def test_a_key_that_cannot_sign_is_told_before_anything_is_built(call: Call, use: Use) -> None:
    call.environ[KEY_VARIABLE] = "no key"
    with pytest.raises(UsageError, match=KEY_VARIABLE):
        rebuild(call, use, "an image\n")
    assert not (call.folder / "rebuild").exists()


def test_the_inputs_of_a_ci_that_say_what_to_build_are_not_for_this(call: Call, use: Use) -> None:
    call.environ |= {"CI_TOOLKIT_MKOSI_ARGS": "--hostname=x", "CI_TOOLKIT_PROFILE": "theirs"}
    runner = FakeRunner(lambda _: "an image\n")
    use(runner)
    assert call("build", "--output", str(call.folder / "published")) == ExitCode.FINE
    call.environ |= {"CI_TOOLKIT_MKOSI_ARGS": "--hostname=y", "CI_TOOLKIT_PROFILE": "mine"}
    words = ("--source", str(call.folder / "images"), "--output", str(call.folder / "rebuild"))
    assert call("rebuild", str(call.folder / "published"), *words) == ExitCode.FINE
    assert runner.place is not None
    ((_, command),) = runner.place.built
    assert {"--hostname=x", "--profile=theirs"} <= set(command.argv)
    assert not {"--hostname=y", "--profile=mine"} & set(command.argv)


def test_a_build_that_fails_is_no_verdict(call: Call, use: Use) -> None:
    use(FakeRunner(lambda _: "an image\n"))
    assert call("build", "--output", str(call.folder / "published")) == ExitCode.FINE
    use(FakeRunner(lambda _: "half", exit_code=1))
    words = ("--source", str(call.folder / "images"), "--output", str(call.folder / "rebuild"))
    with pytest.raises(BuildError):
        call("rebuild", str(call.folder / "published"), *words)
    assert not (call.folder / "rebuild").exists()


@pytest.mark.parametrize("digest", ["x", "F" * 64, "0" * 63])
def test_what_is_no_digest_is_a_usage_error(call: Call, digest: str) -> None:
    with pytest.raises(UsageError, match="--sha256"):
        call("rebuild", "https://example.org/", "--sha256", digest)


@pytest.mark.parametrize("where", ["nothing", "http://example.org/", "images"])
def test_where_there_is_no_record_it_is_told_in_one_line(call: Call, where: str) -> None:
    target = where if "://" in where else str(call.folder / where)
    with pytest.raises(UnreadableError) as refused:
        call("rebuild", target)
    assert "\n" not in refused.value.message
