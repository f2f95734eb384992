"""Container images, by our converters, skopeo and tar; what the engine would be handed is read by skopeo."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from bench import run
from bootable import Converted

from ci_toolkit.boot import oci
from ci_toolkit.errors import UnreadableError

pytestmark = pytest.mark.slow


def handed(image: Path, target: Path) -> dict[str, Any]:
    """What an engine would be handed, in the words of skopeo: it checks every digest."""
    with oci.opened(image) as found:
        assert found is not None
        assert found.names_a_command
        with target.open("wb") as file:
            file.writelines(found.archive("ours:mine"))
    told: dict[str, Any] = json.loads(run("skopeo", "inspect", "--config", f"docker-archive:{target}"))
    run("skopeo", "copy", "-q", "--insecure-policy", f"docker-archive:{target}:ours:mine", f"dir:{target}.dir")
    with tarfile.open(target) as archive:
        assert json.load(archive.extractfile("manifest.json"))[0]["RepoTags"] == ["ours:mine"]  # type: ignore[arg-type]
    return told


def by_skopeo(converted: Converted, target: str) -> None:
    run("skopeo", "copy", "-q", "--insecure-policy", f"oci:{converted('oci')}:latest", target)


@pytest.mark.parametrize("kind", ["oci", "docker-archive"])
def test_what_we_convert_to_is_handed_on_whole(tmp_path: Path, converted: Converted, kind: str) -> None:
    image = f"oci:{converted('oci')}:latest"
    wanted = json.loads(run("skopeo", "inspect", "--config", image))
    assert handed(converted(kind), tmp_path / "handed") == wanted


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_what_skopeo_writes_is_handed_on_whole(tmp_path: Path, converted: Converted, kind: str) -> None:
    image = tmp_path / "image.tar"
    by_skopeo(converted, f"{kind}:{image}" + (":some:name" if kind == "docker-archive" else ""))
    wanted = json.loads(run("skopeo", "inspect", "--config", f"oci:{converted('oci')}:latest"))
    assert handed(image, tmp_path / "handed") == wanted


def test_a_layout_with_two_images_is_refused(tmp_path: Path, converted: Converted) -> None:
    layout = tmp_path / "layout"
    for tag in ("one", "two"):
        by_skopeo(converted, f"oci:{layout}:{tag}")
    index = json.loads((layout / "index.json").read_text())
    assert len(index["manifests"]) == 2
    with pytest.raises(UnreadableError, match="container images for this machine, not one"), oci.opened(layout):
        pass


def damaged(layout: Path, **changes: object) -> Path:
    layout.mkdir()
    (layout / "oci-layout").write_text("{}")
    (layout / "index.json").write_text(json.dumps(changes))
    return layout


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"manifests": 3},
        {"manifests": [{"digest": "sha256:" + "0" * 64}]},
        {"manifests": [{"digest": "../../etc/shadow"}]},
        {"config": {"digest": "sha256:../../../../etc/shadow"}},
    ],
)
def test_a_layout_that_is_not_whole_is_refused(tmp_path: Path, index: dict[str, object]) -> None:
    with pytest.raises(UnreadableError), oci.opened(damaged(tmp_path / "layout", **index)):
        pass


def test_a_link_in_the_place_of_a_layer_is_not_followed(tmp_path: Path, converted: Converted) -> None:
    layout = tmp_path / "layout"
    by_skopeo(converted, f"oci:{layout}:latest")
    largest = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    secret = tmp_path / "secret"
    largest.rename(secret)
    largest.symlink_to(secret)
    with pytest.raises(UnreadableError, match="no whole container image"), oci.opened(layout):
        pass


def test_a_disk_and_an_archive_of_files_are_none(tmp_path: Path, disk: Path) -> None:
    run("tar", "-c", "-f", tmp_path / "files.tar", "-C", "/etc", "hostname")
    for path in (disk, tmp_path / "files.tar", tmp_path):
        with oci.opened(path) as found:
            assert found is None


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="No such file"), oci.opened(tmp_path / "none"):
        pass
