"""Container images, by umoci."""

import json
import os
from pathlib import Path

from bench import compared, differs, run, shows, together

from ci_toolkit.compare.difference import Field

FIXED = "--created=2026-07-01T00:00:00Z"


def image(place: Path, *options: str, tag: str = "latest") -> Path:
    """An image without layers, whose every file is of one time."""
    run("umoci", "init", "--layout", place)
    run("umoci", "new", "--image", f"{place}:{tag}")
    run("umoci", "config", "--image", f"{place}:{tag}", "--history.created", "2026-07-01T00:00:00Z", *options)
    run("umoci", "gc", "--layout", place)
    for path in (*place.rglob("*"), place):
        os.utime(path, (1, 1))
    return place


def causes(first: Path, second: Path) -> set[str]:
    return {name for name, told in compared(first, second).items() if not told.consequence_of}


@shows("oci-created", by="umoci")
def test_the_time_of_making_is_named(tmp_path: Path) -> None:
    first, second = (image(tmp_path / day, f"--created=2026-07-{day}T00:00:00Z") for day in ("01", "02"))
    assert causes(first, second) == {"oci-created"}


@shows("oci-mkosi-version", by="umoci")
def test_the_version_of_mkosi_is_named(tmp_path: Path) -> None:
    annotation = "--manifest.annotation=io.systemd.mkosi.version={}"
    first, second = (image(tmp_path / version, FIXED, annotation.format(version)) for version in ("26", "27"))
    assert causes(first, second) == {"oci-mkosi-version"}


@shows("oci-image-name", by="umoci")
def test_the_tag_of_an_image_is_named(tmp_path: Path) -> None:
    first, second = (image(tmp_path / tag, FIXED, tag=tag) for tag in ("one", "two"))
    assert causes(first, second) == {"oci-image-name"}


@shows("oci-attestation", by="umoci")
def test_a_statement_of_provenance_is_named(tmp_path: Path) -> None:
    first, second = image(tmp_path / "a", FIXED), image(tmp_path / "b", FIXED)
    # As BuildKit adds it: one manifest more, which refers to the image by an annotation.
    index = json.loads((second / "index.json").read_text())
    (manifest,) = index["manifests"]
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": manifest["digest"]}
    index["manifests"].append({**manifest, "annotations": notes})
    (second / "index.json").write_text(json.dumps(index))
    os.utime(second / "index.json", (1, 1))
    assert "oci-attestation" in compared(first, second)
    only = differs("attestation 2 manifest", Field.PRESENCE, None, "file", container="oci")
    assert set(together(only)) == {"oci-attestation"}


@shows("oci-form", by="tar")
def test_a_layout_and_an_archive_of_it_differ_in_form_alone(tmp_path: Path) -> None:
    made = image(tmp_path / "a", FIXED)
    run("tar", "-c", "-f", tmp_path / "a.tar", "-C", made, ".")
    assert causes(made, tmp_path / "a.tar") == causes(tmp_path / "a.tar", made) == {"oci-form"}
    other = image(tmp_path / "b", "--created=2026-07-02T00:00:00Z")
    assert causes(tmp_path / "a.tar", other) == {"oci-form", "oci-created"}
