import pytest

from ci_toolkit.host.capabilities import Capabilities
from ci_toolkit.host.probe import probe
from ci_toolkit.runners import choose


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Capabilities:
    """What build and verify are told."""
    home = tmp_path_factory.mktemp("home")
    return probe(directory=home, environ={"HOME": str(home), "DOCKER_HOST": "unix:///nonexistent.sock"}, thorough=False)


@pytest.mark.parametrize(
    "name",
    ["user-namespace-full", "user-namespace-single", "mount-in-namespace", "mkosi", "container-engine", "qemu", "kvm"],
)
def test_the_runners_find_every_capability_by_its_name(quick: Capabilities, name: str) -> None:
    assert quick[name].name == name
    assert quick[name].reason


def test_a_quick_probe_boots_nothing(quick: Capabilities) -> None:
    assert not quick["kvm"].available
    assert "not tried" in quick["kvm"].reason


def test_names_are_unique(quick: Capabilities) -> None:
    names = [one.name for one in quick.capabilities]
    assert len(names) == len(set(names))


def test_every_runner_can_tell_its_obstacles(quick: Capabilities) -> None:
    found = dict(choose.verdicts(quick))
    assert set(found) >= {"unprivileged", "container", "vm"}
    assert any("container-engine" in obstacle for obstacle in found["container"])


def test_the_leaks_are_told_with_it(quick: Capabilities) -> None:
    assert {"umask", "checkout-owner", "hostname"} <= {leak.name for leak in quick.leaks}
