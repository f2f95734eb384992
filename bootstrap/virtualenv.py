"""The virtual environment with the package, editable, and the tools of its developers."""

import hashlib
import importlib.util
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Final

from bootstrap import debian_packages
from bootstrap.failures import SetupError
from bootstrap.workplace import Workplace

# Raise it when an environment made by an older recipe would not do.
_RECIPE: Final = "1"
_STAMP: Final = ".ci-toolkit-complete"
_UNFINISHED: Final = ".ci-toolkit-unfinished"


def ensure(workplace: Workplace) -> None:
    """Make .venv, or bring it up to date with pyproject.toml; the stamp in it is written last."""
    directory = workplace.root / ".venv"
    stamp = directory / _STAMP
    wanted = fingerprint(workplace.root)
    if _text(stamp) == wanted and _works(workplace):
        workplace.journal.reused("virtual environment .venv")
        return
    ensure_venv_module(workplace)
    with workplace.journal.step("virtual environment .venv, with the package and its developers' tools"):
        stamp.unlink(missing_ok=True)
        if not _may_continue(workplace, directory):
            _create(workplace, directory)
        (directory / _UNFINISHED).touch()
        _install(workplace)
        (directory / _UNFINISHED).unlink()
        stamp.write_text(wanted, encoding="utf-8")


def fingerprint(root: Path) -> str:
    """Return what the environment of the checkout ROOT depends on: its recipe, place, Python and pyproject.toml."""
    summary = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
    return "\n".join([_RECIPE, str(root), sys.version.split()[0], summary, ""])


def developer_requirements(pyproject: str, group: str = "dev") -> tuple[str, ...]:
    """Return the requirements of a dependency group (PEP 735); pip knows them by itself only since 25.1."""
    groups = tomllib.loads(pyproject).get("dependency-groups", {})
    found: list[str] = []
    for entry in groups[group]:
        if isinstance(entry, str):
            found.append(entry)
        else:
            found += developer_requirements(pyproject, entry["include-group"])
    return tuple(found)


def ensure_venv_module(workplace: Workplace) -> None:
    """Install python3-venv where Debian's Python comes without its ensurepip."""
    if importlib.util.find_spec("ensurepip") is not None and importlib.util.find_spec("venv") is not None:
        return
    with workplace.journal.step("Debian package python3-venv"):
        debian_packages.require(
            workplace, [f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"], "Python cannot make environments"
        )


def _create(workplace: Workplace, directory: Path) -> None:
    if directory.is_symlink() or directory.is_file():
        raise SetupError(f"{directory} is not a directory", hint="Remove it.")
    if directory.is_dir():
        shutil.rmtree(directory)
    directory.mkdir()
    (directory / _UNFINISHED).touch()
    workplace.programs.run([sys.executable, "-m", "venv", directory]).demand("The virtual environment was not made")


def _install(workplace: Workplace) -> None:
    requirements = developer_requirements((workplace.root / "pyproject.toml").read_text(encoding="utf-8"))
    argv: list[str | Path] = [
        workplace.python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-e",
        ".",
        *requirements,
    ]
    workplace.programs.run(argv, directory=workplace.root).demand("pip could not install the package and its tools")


def _may_continue(workplace: Workplace, directory: Path) -> bool:
    """Tell whether pip may go on in the environment that is there: whole, in its place, and of this Python."""
    if (directory / _UNFINISHED).exists() or not _works(workplace):
        return False
    question = "import sys; print(sys.prefix, sys.version.split()[0], sep='\\n')"
    return workplace.programs.ask([workplace.python, "-c", question]).output.splitlines() == [
        str(directory),
        sys.version.split()[0],
    ]


def _works(workplace: Workplace) -> bool:
    return workplace.programs.ask([workplace.python, "-c", "import pip"]).ok


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
