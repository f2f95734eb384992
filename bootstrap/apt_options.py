"""Tell which of apt's Acquire options the machine sets, and carry them to another root."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

# apt.conf for the question "what would apt do without this machine's configuration?".
NO_CONFIGURATION: Final = 'Dir::Etc::Parts "/dev/null";\nDir::Etc::Main "/dev/null";\n'

# What is not carried: choices about what this machine keeps, a program of this machine, and every way to weaken the
# check of signatures.
_LEFT_OUT: Final = (
    "acquire::indextargets",
    "acquire::languages",
    "acquire::gzipindexes",
    "acquire::compressiontypes",
    "acquire::changelogs",
    "acquire::cdrom",
    "acquire::allowinsecurerepositories",
    "acquire::allowweakrepositories",
    "acquire::allowdowngradetoinsecurerepositories",
    "acquire::http::proxy-auto-detect",
    "acquire::http::proxyautodetect",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One line of apt.conf: `name` with `::` between its parts, and its value."""

    name: str
    value: str

    def line(self) -> str:
        return f'{self.name} "{self.value}";'


def parse(dump: str) -> tuple[Option, ...]:
    """Return the options of an `apt-config dump`; what spans lines is not understood and left out."""
    found = re.findall(r'^(\S+) "(.*)";$', dump, re.MULTILINE)
    return tuple(Option(name=name, value=value) for name, value in found)


def of_machine(dump: str, defaults: str) -> tuple[Option, ...]:
    """Return the Acquire options of DUMP that DEFAULTS, apt's own, have not, and that mean something elsewhere."""
    own = set(parse(defaults))
    options = [option for option in parse(dump) if option not in own and _is_carried(option.name)]
    return tuple(option for option in options if option.value or not _has_children(option, options))


def with_proxies(options: Iterable[Option], environ: Mapping[str, str]) -> tuple[Option, ...]:
    """Add the proxies of ENVIRON to OPTIONS, which go first, as apt has it; for programs that get no environment."""
    options = tuple(options)
    named = {option.name.lower() for option in options}
    added = []
    for scheme in ("http", "https"):
        proxy = environ.get(f"{scheme}_proxy", "")
        if not proxy or f"acquire::{scheme}::proxy" in named:
            continue
        added.append(Option(name=f"Acquire::{scheme}::Proxy", value=proxy))
        direct = environ.get("no_proxy", "").replace(",", " ").split()
        added += [
            Option(name=f"Acquire::{scheme}::Proxy::{host.lstrip('.')}", value="DIRECT")
            for host in direct
            if re.fullmatch(r"[\w.-]+", host)
        ]
    return (*options, *added)


def render(options: Iterable[Option], relocate: Callable[[str], str] = lambda path: path) -> str:
    """Return the text of an apt.conf; RELOCATE is given each value that is an absolute path."""
    lines = []
    for option in options:
        value = relocate(option.value) if option.value.startswith("/") else option.value
        lines.append(Option(name=option.name, value=value).line())
    return "".join(f"{line}\n" for line in lines)


def _is_carried(name: str) -> bool:
    lowered = name.lower()
    return lowered.startswith("acquire::") and not any(
        lowered == left or lowered.startswith(f"{left}::") for left in _LEFT_OUT
    )


def _has_children(option: Option, options: Iterable[Option]) -> bool:
    prefix = f"{option.name}::".lower()
    return any(other.name.lower().startswith(prefix) for other in options)
