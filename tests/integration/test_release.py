"""A release of a real image to every kind of target, a second time, a fortnight later, and a prune."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import rehearsal, small
from tests.integration.rehearsal import Stage

pytestmark = pytest.mark.integration


@pytest.fixture
def stage(runner: None) -> Iterator[Stage]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as name, rehearsal.stage(Path(name)) as found:
        yield found


def test_a_release_is_made_once_verified_by_others_and_pruned(stage: Stage) -> None:
    small.write(stage.place / "repository", rehearsal.DISK)
    definition = stage.repository() / "images"

    done = stage.release(definition, day="2026-11-28")
    assert done.returncode == 0, done.stderr
    place = stage.mirror / "latest"
    assert place.readlink() == Path("2026.11.28")
    names = {path.name for path in place.iterdir()}
    assert {"small.raw", "small.qcow2", "small.oci", "release.json", "SHA256SUMS", "SHA256SUMS.asc"} <= names

    # What gpg, sha256sum and skopeo say of it.
    verify = ("gpg", "--homedir", stage.home(), "--verify", "SHA256SUMS.asc", "SHA256SUMS")
    subprocess.run(verify, cwd=place, check=True, capture_output=True)
    subprocess.run(("sha256sum", "--check", "--strict", "SHA256SUMS"), cwd=place, check=True, capture_output=True)
    inspect = ("skopeo", "inspect", "--tls-verify=false", stage.registry.image("latest"))
    subprocess.run(inspect, check=True, capture_output=True)

    # The same bytes everywhere.
    files = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    assert stage.github.releases.published() == {"2026.11.28": files}
    assert stage.gitlab.releases.published() == {"2026.11.28": files}

    again = stage.release(definition, day="2026-12-05")
    assert again.returncode == 0, again.stderr
    assert "no release is due before 2026-12-07" in again.stdout

    # Built again from its address alone, and the key.
    rebuilt = stage.rebuild("2026.11.28")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert (stage.place / "rebuilt/small.raw").read_bytes() == files["small.raw"]

    for target in ("dir", "oci"):  # a later one, published without building
        to = next(one for one in stage.targets if one.startswith(f"{target}:"))
        argv = ("publish", str(stage.place / "output/files"), "--to", to, "--version", "2026.12.12")
        assert stage.call(*argv, day="2026-12-12").returncode == 0
    pruned = stage.call("prune", *stage.targets, "--keep", "1", day="2026-12-12")
    assert pruned.returncode == 0, pruned.stderr
    assert sorted(path.name for path in stage.mirror.iterdir()) == ["2026.12.12", "latest"]
    assert set(stage.github.releases.published()) == {"2026.11.28"}
    assert stage.github.server.violations == stage.gitlab.server.violations == []


def test_a_container_image_of_arch_is_released_beside_a_disk_and_rebuilt(stage: Stage, served: tuple[str, ...]) -> None:
    small.write(stage.place / "repository", rehearsal.DISK)
    rehearsal.arch(stage.place / "repository/arch", served)
    repository = stage.repository()
    done = stage.release(repository / "images", repository / "arch", day="2026-11-28")
    assert done.returncode == 0, done.stderr
    place = stage.mirror / "2026.11.28"

    # The same image in every place.
    wheres = (
        f"oci-archive:{place / 'arch-container.oci.tar'}",
        f"oci:{place / 'arch-container'}",
        stage.registry.image("arch-container-2026.11.28"),
    )
    argv = ("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}")
    assert len({subprocess.run((*argv, one), check=True, capture_output=True).stdout for one in wheres}) == 1
    assert "arch-container.oci.tar" in stage.github.releases.published()["2026.11.28"]
    assert "`arch-container.oci.tar`" in (stage.place / "output/notes.md").read_text(encoding="utf-8")

    rebuilt = stage.rebuild("2026.11.28", record="arch.build-record.json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert (stage.place / "rebuilt/arch-container/index.json").read_bytes() == (
        place / "arch-container/index.json"
    ).read_bytes()
