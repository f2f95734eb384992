"""The token by which a job tells who it is."""

from collections.abc import Iterator

import fake_sigstore
import jwt
import pytest
from fake_sigstore import FakeSigstore
from forge_server import Answer, Fault
from waits import Waits

from ci_toolkit.errors import ForgeError, UsageError
from ci_toolkit.publish import credential

pytestmark = pytest.mark.slow


@pytest.fixture
def sigstore() -> Iterator[FakeSigstore]:
    with fake_sigstore.opened() as fake:
        yield fake


def test_github_hands_out_a_token_for_sigstore(sigstore: FakeSigstore) -> None:
    token = credential.find(sigstore.environ).token(Waits().patience())
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "sigstore"
    (asked,) = sigstore.server.requests
    assert asked.query == {"api-version": "2.0", "audience": "sigstore"}


def test_gitlabs_is_in_the_environment_and_nobody_is_asked(sigstore: FakeSigstore) -> None:
    environ = {**sigstore.environ, "SIGSTORE_ID_TOKEN": " a.b.c\n"}
    assert credential.find(environ).token(Waits().patience()) == "a.b.c"
    assert sigstore.server.requests == []


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({"GITHUB_ACTIONS": "true"}, "id-token: write"),
        ({"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://example.org/"}, "id-token: write"),
        ({"GITLAB_CI": "true"}, "id_tokens:"),
        ({}, "SIGSTORE_ID_TOKEN"),
    ],
)
def test_where_there_is_none_the_line_that_is_missing_is_named(environ: dict[str, str], hint: str) -> None:
    with pytest.raises(UsageError, match="no token") as refused:
        credential.find(environ)
    assert hint in (refused.value.hint or "")


def test_it_is_asked_for_again_while_github_is_busy(sigstore: FakeSigstore) -> None:
    sigstore.server.faults.append(Fault(method="GET", answer=Answer(status=503), times=2))
    waits = Waits()
    assert credential.find(sigstore.environ).token(waits.patience())
    assert len(waits.seconds) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=403, content={"message": "no"}),
        *(Answer(status=200, content=one) for one in ("x", {}, {"value": 7})),
    ],
)
def test_where_github_gives_none_it_is_told(sigstore: FakeSigstore, answer: Answer) -> None:
    sigstore.server.faults.append(Fault(method="GET", answer=answer))
    with pytest.raises(ForgeError) as refused:
        credential.find(sigstore.environ).token(Waits().patience())
    assert "id-token: write" in (refused.value.hint or "")


def test_nothing_of_it_is_shown(sigstore: FakeSigstore) -> None:
    assert fake_sigstore.REQUEST_TOKEN not in repr(credential.find(sigstore.environ))
