"""From the builds to the files of a release: those that were verified, under names that are unique, with checksums."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ci_toolkit.errors import UnreadableError, UsageError
from ci_toolkit.formats import tar
from ci_toolkit.publish import checksums
from ci_toolkit.publish import files as publishing
from ci_toolkit.publish.files import Container, File, Release
from ci_toolkit.records import reading, record
from ci_toolkit.records import told as told_formats
from ci_toolkit.records.keyless import Expected
from ci_toolkit.releases import contents, notes
from ci_toolkit.releases.advisories.security import Security
from ci_toolkit.releases.contents import Contents, Image
from ci_toolkit.releasing.state import Built, State

# What the archive of a container image ends with.
ARCHIVE: Final = ".oci.tar"
# What lies beside an image and is for those who built it, and the lists that SHA256SUMS makes superfluous.
_LEFT_OUT = (".log", ".sha256", "ci-toolkit.env")


# What is told from the record of a build, for those who do not read records; release.json and the notes have packages.
_DESCRIBED = ("spdx", "cyclonedx", "provenance")


def describe(directory: Path, image: str) -> None:
    """Write bills of materials and the provenance of IMAGE into DIRECTORY, where the record of its build is, if it is.

    Raises UnreadableError, OSError.
    """
    if not (directory / record.NAME).is_file():
        return
    found = reading.load(directory)
    for name in _DESCRIBED:
        render, suffix = told_formats.FORMATS[name]
        (directory / f"{image}.{suffix}").write_text(render(found), encoding="utf-8")


def collect(state: State, builds: Path, target: Path) -> Contents:
    """Put the files of the images below BUILDS into the directory TARGET, made anew, and return what it holds.

    Raises UnreadableError where a file is not the one that was verified, UsageError for names that clash.
    """
    scratch = target.with_name(f".{target.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    found = {name: publishing.gather(builds / name) for name in state.call.images}
    _check(found, state.builds)
    names = _names({name: files for name, (files, _) in found.items()})
    for name, (files, containers) in found.items():
        for file in files:
            if (name, file.name) in names:
                _link(file.path, scratch / names[name, file.name])
        for container in containers:
            layout = container.layout
            if (scratch / layout.name).exists() or (scratch / _archive(container)).exists():
                raise UsageError(f"two images have a container image {layout.name}", hint="Set ImageId= in each.")
            shutil.copytree(layout, scratch / layout.name, copy_function=os.link)
            _pack(container, scratch / _archive(container))
    told = _contents(state, found, names, scratch)
    (scratch / contents.NAME).write_text(contents.render(told), encoding="utf-8")
    checksums.write(publishing.gather(scratch)[0], scratch)
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    return told


def release(state: State, target: Path, text: str) -> Release:
    """Return the release of the files in TARGET with the notes TEXT. Raises UnreadableError where one has changed."""
    files, containers = publishing.gather(target)
    listed = target / checksums.NAME
    if not listed.is_file() or listed.read_text(encoding="utf-8") != checksums.render(files):
        raise UnreadableError(f"the files in {target} are not those of {checksums.NAME}", hint="Begin anew.")
    return Release(version=state.version, files=files, containers=containers, notes=text, commit=state.commit)


def told(
    now: Contents,
    before: Contents | None,
    base: str,
    security: Security | None,
    *,
    signed: bool,
    expected: Expected | None = None,
) -> str:
    """Return the notes of the release NOW after BEFORE, with the line that verifies a download from BASE.

    SECURITY is what the advisories say, None where nobody asked; SIGNED tells that a key has signed it, EXPECTED who
    has by Sigstore.
    """
    line = checksums.verify_line(now.images[0].file, base, signed=signed, expected=expected)
    return notes.render(now, before, line, security)


def _check(found: Mapping[str, tuple[tuple[File, ...], tuple[Container, ...]]], builds: Mapping[str, Built]) -> None:
    """See that each file that was verified is there as it was. What was converted from it is not in that list."""
    for name, (files, containers) in found.items():
        layouts = tuple(f"{container.layout.name}/" for container in containers)
        there = {file.name: file.sha256 for file in (*files, *(one for each in containers for one in each.files()))}
        for file, digest in builds[name].digests.items():
            # A directory is not published.
            if there.get(file) != digest and ("/" not in file or file.startswith(layouts)):
                raise UnreadableError(
                    f"{name}: {file} is not the file that was verified", hint="Begin anew: remove the output."
                )


def _names(found: Mapping[str, tuple[File, ...]]) -> dict[tuple[str, str], str]:
    """Return under which name each file of each image is published: what two have gets the image's name before it."""
    kept = {name: [file.name for file in files if not file.name.endswith(_LEFT_OUT)] for name, files in found.items()}
    count = Counter(file for files in kept.values() for file in files)
    names = {
        (name, file): file if count[file] == 1 else f"{name}.{file}" for name, files in kept.items() for file in files
    }
    twice = [name for name, number in Counter(names.values()).items() if number > 1]
    if twice:
        raise UsageError(f"two files of the release are called {twice[0]}", hint="Set ImageId= in each definition.")
    return names


def _contents(
    state: State,
    found: Mapping[str, tuple[tuple[File, ...], tuple[Container, ...]]],
    names: Mapping[tuple[str, str], str],
    target: Path,
) -> Contents:
    images = []
    for name, built in state.builds.items():
        files, containers = found[name]
        main = next((replace(file, name=names[name, file.name]) for file in files if file.name == built.image), None)
        layout = next((one for one in containers if one.layout.name == built.image), None)
        if layout is not None:
            main = publishing.file(target / _archive(layout), _archive(layout))
        if main is None:
            raise UsageError(
                f"{name} is built as a directory, which cannot be downloaded", hint="Set Format=tar or disk."
            )
        images.append(
            Image(
                name=name,
                file=main.name,
                size=main.size,
                sha256=main.sha256,
                packages=built.listed(),
            )
        )
    sizes = sorted(
        (names[name, file.name], file.size)
        for name, (files, _) in found.items()
        for file in files
        if (name, file.name) in names
    )
    return Contents(version=state.version, commit=state.commit, images=tuple(images), files=tuple(sizes))


def _archive(container: Container) -> str:
    return f"{container.layout.name.removesuffix('.oci')}{ARCHIVE}"


def _pack(container: Container, target: Path) -> None:
    """Write CONTAINER as an archive of its layout, since most places take nothing but files. Raises OSError.

    Docker (from 25 on), Podman and skopeo (`oci-archive:`) read it. The same image gives the same bytes.
    """
    with target.open("xb") as archive:
        for piece in container.files():
            archive.write(tar.plain(piece.name.partition("/")[2], piece.size))
            with piece.path.open("rb") as file:
                shutil.copyfileobj(file, archive, publishing.PIECE_BYTES)
            archive.write(tar.padded(piece.size))
        archive.write(tar.END)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
