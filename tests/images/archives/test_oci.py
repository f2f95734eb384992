"""Container images as layouts, archives and what `docker save` writes, copied and inspected by skopeo."""

import json
import os
import shutil
from pathlib import Path

import packaged
import pytest
from bench import run
from specimens import budget, content, cuts, entries, facts, flips, loaded, make_sense, opened, survives
from truths import cmp

from ci_toolkit.compare.comparison import Verdict
from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.explain import explain
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.walk import compare
from ci_toolkit.errors import UnreadableError
from ci_toolkit.images import directory
from ci_toolkit.images.archives import oci, tar
from ci_toolkit.images.entry import Container, Kind
from ci_toolkit.images.limits import BeyondLimitError, Budget, Limits
from ci_toolkit.images.read import identify

FORMS = ("oci", "oci-archive", "docker-archive")


def layers(root: Path, hostname: str) -> list[bytes]:
    (root / "one/etc").mkdir(parents=True, exist_ok=True)
    (root / "two/etc").mkdir(parents=True, exist_ok=True)
    (root / "one/etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "two/etc/thing").write_text(hostname)
    (root / "two/etc/.wh.passwd").touch()
    return [packaged.layer(root / "one", "etc"), packaged.layer(root / "two", "etc")]


def image(root: Path, form: str, hostname: str = "host", created: str = packaged.CREATED) -> Path:
    made = packaged.layout(root / "layout", layers(root, hostname), created=created)
    if form == "oci":
        return made
    target = root / f"{form}.tar"
    packaged.copied(f"oci:{made}", f"{form}:{target}" + (":test:latest" if form == "docker-archive" else ""))
    return repacked(target)


def repacked(archive: Path) -> Path:
    """Pack what skopeo wrote again, under one time: its own is that of the moment."""
    tree = archive.with_suffix("")
    tree.mkdir()
    run("tar", "-x", "-C", tree, "-f", archive)
    fixed = ("--sort=name", "--mtime=@1700000000", "--owner=0", "--group=0")
    run("tar", "-c", *fixed, "-C", tree, "-f", archive, *sorted(path.name for path in tree.iterdir()))
    return archive


def found_in(path: Path) -> Container:
    if path.is_dir():
        tree = directory.read(path, budget())
        assert oci.is_layout(tree)
        return oci.arranged(tree, budget())
    assert oci.recognise(opened(path))
    return oci.read(opened(path), budget())


@pytest.mark.parametrize("form", FORMS)
def test_members_are_named_by_their_roles(tmp_path: Path, form: str) -> None:
    made = image(tmp_path, form)
    found = found_in(made)
    assert found.format == "oci"
    if made.is_file():
        make_sense(found)
    there = {entry.path: entry for entry in found.entries}
    assert {"config", "layer 1", "layer 2"} <= set(there)
    assert not [path for path in there if "without use" in path]
    for number in (1, 2):
        data = there[f"layer {number}"].data
        assert data is not None
        known = identify(data)
        assert known is not None
        if known.name == "gzip":
            (payload,) = known.read(data, budget()).entries
            data = payload.data
        assert data is not None
        names = [entry.path for entry in tar.read(data, budget()).entries]
        assert (
            names == [["etc/", "etc/passwd"], ["etc/", "etc/.wh.passwd", "etc/thing"]][number - 1]
            or names
            == [
                ["etc", "etc/passwd"],
                ["etc", "etc/.wh.passwd", "etc/thing"],
            ][number - 1]
        )


@pytest.mark.parametrize("form", FORMS)
def test_facts_are_what_skopeo_inspects(tmp_path: Path, form: str) -> None:
    made = image(tmp_path, form)
    told = packaged.inspected(f"{form}:{made}", "--config")
    known = facts(found_in(made))
    assert known["config.created"] == told["created"]
    assert known["config.architecture"] == told["architecture"]
    inner = told["config"]
    assert isinstance(inner, dict)
    assert known["config.config.Env"] == tuple(inner["Env"])
    assert known["config.config.Labels.name"] == inner["Labels"]["name"]
    history = told["history"]
    assert isinstance(history, list)
    assert known["config.history.2.created_by"] == history[1]["created_by"]
    assert not [name for name, value in known.items() if "sha256" in str(value) or name.endswith(".size")]


def test_annotations_are_facts(tmp_path: Path) -> None:
    assert facts(found_in(image(tmp_path, "oci")))["manifest.annotations.io.systemd.mkosi.version"] == "26"


@pytest.mark.parametrize("form", FORMS)
def test_a_difference_is_named_by_its_layer(tmp_path: Path, form: str) -> None:
    one, other = image(tmp_path / "a", form, "first"), image(tmp_path / "b", form, "second")
    compared = compare(one, other)
    assert compared.skipped == ()
    assert [d.path for d in compared.differences if d.field is Field.CONTENT and not d.opened] == [
        ("layer 2", "etc/thing")
    ]
    assert not [d for d in compared.differences if d.field in (Field.PRESENCE, Field.ORDER, Field.KIND)]
    if one.is_file():
        assert (compared.differing_bytes, compared.first_offset) == cmp(one, other)
        assert sum(d.bytes for d in compared.differences) == compared.differing_bytes
    causes = {(found.cause, found.consequence_of) for found in explain(compared.differences, Facts())}
    assert {consequence for cause, consequence in causes if cause != "unknown"} == {("unknown",)}


def made_of(differences: tuple[Difference, ...], field: Field) -> list[str | None]:
    return [d.name for d in differences if d.field is field]


@pytest.mark.parametrize("form", FORMS)
def test_the_time_of_creation_is_a_cause_and_digests_follow(tmp_path: Path, form: str) -> None:
    one = image(tmp_path / "a", form)
    other = image(tmp_path / "b", form, created="2024-02-03T04:05:06Z")
    compared = compare(one, other)
    assert compared.verdict is Verdict.DIFFERENT
    named = made_of(compared.differences, Field.HEADER)
    assert {"config.created", "config.history.1.created", "config.history.2.created"} <= set(named)
    found = explain(compared.differences, Facts())
    assert {told.cause for told in found if not told.consequence_of} == {"oci-created"}
    assert all(told.consequence_of == ("oci-created",) for told in found if told.cause != "oci-created")
    if one.is_file():
        assert sum(d.bytes for d in compared.differences) == compared.differing_bytes
        assert sum(d.bytes for d in compared.differences if d.field is Field.HEADER) > 0


@pytest.mark.parametrize("form", FORMS)
def test_two_equal_images_are_identical(tmp_path: Path, form: str) -> None:
    compared = compare(image(tmp_path / "a", form), image(tmp_path / "b", form))
    assert (compared.verdict, compared.differences) == (Verdict.IDENTICAL, ())


def test_a_layout_is_compared_with_an_archive_of_one(tmp_path: Path) -> None:
    one = image(tmp_path / "a", "oci")
    same = compare(one, image(tmp_path / "b", "oci-archive"))
    assert same.verdict is Verdict.DIFFERENT
    # skopeo writes an index of its own.
    assert {found.name for found in same.differences} == {"image_form", "index.mediaType", "record of the index"}
    other = compare(image(tmp_path / "c", "oci-archive", hostname="other"), one)
    (found,) = [found for found in other.differences if found.field is Field.CONTENT and "etc/thing" in found.path]
    assert found.path == ("layer 2", "etc/thing")


def test_a_layout_and_what_docker_saves_are_of_two_kinds(tmp_path: Path) -> None:
    (found,) = compare(image(tmp_path / "a", "oci"), image(tmp_path / "b", "docker-archive")).differences
    assert (found.field, found.before, found.after) == (Field.KIND, "directory", "oci")


def test_a_directory_and_a_damaged_archive_are_refused(tmp_path: Path) -> None:
    made = image(tmp_path / "a", "oci")
    run("tar", "-c", "-f", tmp_path / "a.tar", "-C", made, "oci-layout", "index.json", "blobs")
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:5000])
    with pytest.raises(UnreadableError, match=r"a\.tar: .*cut"):
        compare(made, tmp_path / "a.tar")


def test_of_a_layout_that_was_written_later_everything_is_equal(tmp_path: Path) -> None:
    one = image(tmp_path / "a", "oci")
    other = tmp_path / "b"
    shutil.copytree(one, other)
    for path in (other, *other.rglob("*")):
        os.utime(path, (2_000_000_000, 2_000_000_000))
    assert compare(one, other).verdict is Verdict.IDENTICAL


def test_a_mode_of_a_blob_is_told_by_its_role(tmp_path: Path) -> None:
    one = image(tmp_path / "a", "oci")
    other = tmp_path / "b"
    shutil.copytree(one, other)
    (layer,) = [entry for entry in found_in(one).entries if entry.path == "layer 1"]
    digest = next(p for p in (other / "blobs/sha256").iterdir() if p.read_bytes() == content(layer))
    digest.chmod(0o600)
    (found,) = [d for d in compare(one, other).differences if d.field is Field.MODE]
    assert (found.path, found.after) == (("layer 1",), 0o600)


def test_several_platforms_and_attestations_are_told_apart(tmp_path: Path) -> None:
    made = image(tmp_path, "oci")
    index = json.loads((made / "index.json").read_text())
    (one,) = index["manifests"]
    index["manifests"] = [
        one | {"platform": {"os": "linux", "architecture": "amd64"}},
        one | {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        one | {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        one | {"digest": "sha256:" + "0" * 64},
    ]
    (made / "index.json").write_text(json.dumps(index))
    paths = set(entries(found_in(made)))
    assert {"linux/amd64 layer 2", "linux/arm64/v8 config", "attestation 3 layer 1"} <= paths
    assert not [path for path in paths if path.startswith("image 4")]


def test_nested_indexes_are_followed_and_endless_ones_refused(tmp_path: Path) -> None:
    made = image(tmp_path, "oci")
    inner = (made / "index.json").read_bytes()
    (made / "blobs/sha256" / ("1" * 64)).write_bytes(inner)
    (made / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:" + "1" * 64}]}))
    assert "layer 2" in entries(found_in(made))
    wide = made / "index.json"
    for digit in "123":
        wide.write_text(json.dumps({"manifests": [{"digest": "sha256:" + digit * 64}] * 60}))
        wide = made / "blobs/sha256" / (digit * 64)
    wide.write_bytes(inner)
    with pytest.raises(BeyondLimitError):
        oci.arranged(directory.read(made, budget()), Budget(Limits(metadata=1 << 20)))
    (made / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:" + "1" * 64}]}))
    (made / "blobs/sha256" / ("1" * 64)).write_text((made / "index.json").read_text())
    assert oci.arranged(directory.read(made, budget()), budget()).format == "directory"


@pytest.mark.parametrize(
    "index", ["", "[", "[]", "7", '{"manifests": 5}', '{"manifests": [5, {"digest": 6}]}', "[" * 5000]
)
def test_senseless_documents_leave_a_tree_of_files(tmp_path: Path, index: str) -> None:
    made = image(tmp_path, "oci")
    (made / "index.json").write_text(index)
    found = oci.arranged(directory.read(made, budget()), budget())
    assert len([entry for entry in found.entries if entry.kind is Kind.FILE]) == 6


def test_layers_that_are_links_to_each_other_are_whole(tmp_path: Path) -> None:
    """As older versions of Docker save two layers that are the same."""
    root = tmp_path / "saved"
    ids = ("a" * 64, "b" * 64)
    for one in ids:
        (root / one).mkdir(parents=True)
    (root / ids[0] / "layer.tar").write_bytes(layers(tmp_path, "host")[0])
    (root / ids[1] / "layer.tar").symlink_to(f"../{ids[0]}/layer.tar")
    (root / ids[1] / "json").write_text(json.dumps({"id": ids[1], "created": packaged.CREATED}))
    (root / ("c" * 64 + ".json")).write_text(json.dumps({"created": packaged.CREATED}))
    saved = [{"Config": "c" * 64 + ".json", "RepoTags": ["test:1"], "Layers": [f"{one}/layer.tar" for one in ids]}]
    (root / "manifest.json").write_text(json.dumps(saved))
    archive = tmp_path / "saved.tar"
    run("tar", "-cf", archive, "--sort=name", "-C", root, *sorted(path.name for path in root.iterdir()))
    found = found_in(archive)
    there = entries(found)
    assert content(there["layer 1"]) == content(there["layer 2"]) != b""
    assert {"config", "manifest.json", "layer 2 json", "layer 1"} <= set(there)
    assert facts(found)["manifest.json.1.RepoTags"] == ("test:1",)
    assert facts(found)["layer 2 json.created"] == packaged.CREATED


def test_other_archives_are_none(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "manifest.json").write_text("[]")
    for names in (("etc", "manifest.json"), ("etc",)):
        assert not oci.recognise(loaded(run("tar", "-c", "-C", tmp_path, *names)))
    mistaken = loaded(run("tar", "-c", "-C", tmp_path, "manifest.json"))
    assert oci.recognise(mistaken)
    assert [entry.path for entry in oci.read(mistaken, budget()).entries] == ["manifest.json"]
    for other in (b"", bytes(2048)):
        assert not oci.recognise(loaded(other))


def test_a_cut_archive_is_refused_with_the_reason(tmp_path: Path) -> None:
    whole = image(tmp_path, "oci-archive").read_bytes().rstrip(b"\0")
    for cut in cuts(whole, 20):
        if oci.recognise(loaded(cut)) and len(cut) % 512:
            with pytest.raises(UnreadableError, match=r"cut|asked for"):
                oci.read(loaded(cut), budget())


def test_damage_is_read_or_refused(tmp_path: Path) -> None:
    whole = image(tmp_path, "docker-archive").read_bytes()
    documents = [
        (entry.record[0], sum(entry.record) - entry.record[0] + 512)
        for entry in tar.read(loaded(whole), budget()).entries
        if entry.record and entry.path.endswith(".json")
    ]
    chance = sum(survives(oci.read, oci.recognise, one) for one in flips(whole, 200, within=tuple(documents)))
    assert 0 < chance < 200
