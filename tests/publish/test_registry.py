"""What is a registry's own: shared images, several in one repository, logins."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from forge_server import Answer, ForgeServer, Request
from shelves import DAYS, Make, Shelf
from waits import Waits

from ci_toolkit.errors import ForgeError
from ci_toolkit.publish import targets
from ci_toolkit.publish.files import Release
from ci_toolkit.publish.target import Target
from ci_toolkit.publish.wire import no_progress
from ci_toolkit.releases.past import Past

pytestmark = pytest.mark.slow


def release_to(target: Target, release: Release) -> None:
    target.upload(release, lambda _name, _size: no_progress)
    target.publish(release)


def test_an_image_that_did_not_change_stays_while_another_version_has_it(registry: Shelf, make: Make) -> None:
    """A registry deletes an image with all its tags."""
    first = make(DAYS[0])
    release_to(registry.target, first)
    release_to(registry.target, replace(first, version=DAYS[1]))
    assert Past(version=DAYS[0], labels=(DAYS[1], "latest")) in registry.target.releases()
    registry.target.remove(Past(version=DAYS[0]))
    assert set(registry.published()) == {DAYS[0], DAYS[1], "latest"}


def test_several_images_have_tags_of_their_own(registry: Shelf, make: Make) -> None:
    one, other = make(DAYS[0]), make(DAYS[0], word="other")
    containers = (*one.containers, replace(other.containers[0], name="iso"))
    release_to(registry.target, replace(one, containers=containers))
    assert set(registry.published()) == {f"{name}-{tag}" for name in ("cloud", "iso") for tag in (DAYS[0], "latest")}
    assert [past.version for past in registry.target.releases()] == [DAYS[0]]


def test_an_older_version_does_not_become_the_latest(registry: Shelf, make: Make) -> None:
    newer, older = make(DAYS[1]), make(DAYS[0])
    release_to(registry.target, newer)
    release_to(registry.target, older)
    (past,) = (one for one in registry.target.releases() if "latest" in one.labels)
    assert past.version == DAYS[1]


def test_without_a_container_image_it_is_told(registry: Shelf, make: Make) -> None:
    (obstacle,) = registry.target.obstacles(replace(make(), containers=()))
    assert "oci" in obstacle


class Guarded:
    """A registry that wants a login of one KIND, and has no tags."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.elsewhere = ""
        self.server = ForgeServer(self._answer, "", "registry.json")

    def _answer(self, request: Request) -> Answer:
        given = request.headers.get("Authorization", "")
        basic = f"Basic {base64.b64encode(b'user:secret').decode()}"
        if request.path == "/token":
            asked = (request.query["scope"], request.query["service"])
            right = given == basic and asked == ("repository:images/cloud:pull,push,delete", "here")
            return Answer(status=200, content={"token": "t0"}) if right else Answer(status=401, content={})
        if given == (basic if self.kind == "Basic" else "Bearer t0"):
            return Answer(status=200, content={"tags": []})
        realm = f'{self.kind} realm="{self.realm}",service="here"'
        return Answer(status=401, content={}, headers={"WWW-Authenticate": realm})

    @property
    def realm(self) -> str:
        return self.elsewhere or f"{self.server.root}/token"

    def target(self, password: str) -> Target:
        environ = {"CI_TOOLKIT_REGISTRY_USER": "user", "CI_TOOLKIT_REGISTRY_PASSWORD": password}
        host = self.server.root.removeprefix("http://")
        return targets.find(f"oci:{host}/images/cloud", environ, Waits().patience())


@pytest.fixture(params=["Basic", "Bearer"])
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    found = Guarded(request.param)
    with found.server:
        yield found


def test_a_login_is_made_as_the_registry_asks_for_it(guarded: Guarded) -> None:
    assert guarded.target("secret").releases() == ()


def test_a_wrong_password_is_told_and_not_shown(guarded: Guarded) -> None:
    with pytest.raises(ForgeError) as caught:
        guarded.target("wrong-horse").releases()
    assert "401" in caught.value.message
    assert "wrong-horse" not in f"{caught.value.message}{caught.value.hint}"


def test_a_password_is_sent_nowhere_without_encryption() -> None:
    found = Guarded("Bearer")
    with found.server:
        found.elsewhere = "http://192.0.2.1/token"
        with pytest.raises(ForgeError, match="without encryption"):
            found.target("secret").releases()
        assert not [one for one in found.server.requests if "Authorization" in one.headers]
