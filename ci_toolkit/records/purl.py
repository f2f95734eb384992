"""Package URLs: one name for a package of any distribution, by which others look up what is known of it.

https://github.com/package-url/purl-spec
"""

from typing import Final
from urllib.parse import quote

from ci_toolkit.records.record import Image, Installed

_FAMILIES: Final = {
    "deb": ("debian", "kali", "ubuntu"),
    "rpm": ("fedora", "centos", "rhel", "rhel-ubi", "alma", "rocky", "mageia", "openmandriva", "azure", "opensuse"),
    "alpm": ("arch",),
    "apk": ("postmarketos",),
}
_NAMESPACES: Final = {"rhel": "redhat", "rhel-ubi": "redhat", "alma": "almalinux", "rocky": "rocky-linux"}


def purl(package: Installed, image: Image) -> str:
    """Return the URL of PACKAGE, one of what is in IMAGE; one of no known distribution is "generic"."""
    family = next((name for name, members in _FAMILIES.items() if image.distribution in members), "generic")
    name, version = package.name, package.version
    qualifiers = {"arch": package.architecture}
    if family == "rpm" and ":" in version:  # its epoch is no part of the version there
        qualifiers["epoch"], version = version.split(":", 1)
    if family in ("deb", "rpm") and image.release:
        qualifiers["distro"] = f"{image.distribution}-{image.release}"
    if family in ("deb", "alpm", "apk"):
        name = name.lower()
    namespace = "" if family == "generic" else f"{_NAMESPACES.get(image.distribution, image.distribution)}/"
    told = "&".join(f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()) if value)
    return (
        f"pkg:{family}/{namespace}{_quoted(name)}" + (f"@{_quoted(version)}" if version else "") + (told and f"?{told}")
    )


def _quoted(text: str) -> str:
    """Quote all but the characters that the specification leaves as they are; a lone surrogate becomes a "?"."""
    return quote(text.encode("utf-8", "replace"), safe=":~._-")
