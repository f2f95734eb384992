"""Indexes that a tool compiles from what is installed, in formats of their own."""

import re
import struct
from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.rules import contents, places
from ci_toolkit.compare.rules.remedy import Remedy, advice, remove, render, script, setting
from ci_toolkit.compare.rules.rule import Phase, Rule

_FROM_OTHERS: Final = advice("Look first at what it is compiled from: that may differ as well.")


def _compiled(
    *, identifier: str, title: str, explanation: str, globs: tuple[str, ...], magics: tuple[bytes, ...], command: str,
    source: str,
) -> Rule:  # fmt: skip
    """Return the rule for an index at one of GLOBS that begins with one of MAGICS, and that COMMAND makes again."""

    def recognise(difference: Difference, _facts: Facts) -> bool:
        return places.matches(difference.path, *globs) and contents.starts(difference, *magics)

    return Rule(
        cause=Cause(
            identifier=identifier,
            title=title,
            explanation=explanation,
            fix=render((script(command), _FROM_OTHERS)),
            source=source,
        ),
        phase=Phase.CONTENT,
        fields=(Field.CONTENT,),
        recognise=recognise,
        globs=globs,
    )


LINKER_CACHE: Final = _compiled(
    identifier="linker-cache",
    title="The list of libraries was made at another moment",
    explanation="ld.so.cache lists the libraries that were there when ldconfig ran last.",
    globs=("etc/ld.so.cache",),
    magics=(b"glibc-ld.so.cache1.1", b"ld.so-1.7.0"),
    command="mkosi-chroot ldconfig",
    source="https://man7.org/linux/man-pages/man8/ldconfig.8.html",
)

MODULE_INDEX: Final = _compiled(
    identifier="module-index",
    title="depmod's index was made at another moment",
    explanation="The index lists the kernel modules that were there when depmod ran last.",
    globs=("usr/lib/modules/*/modules.*.bin", "lib/modules/*/modules.*.bin"),
    magics=(b"\xb0\x07\xf4\x57",),
    command='for kernel in "$BUILDROOT"/usr/lib/modules/*; do mkosi-chroot depmod "${kernel##*/}"; done',
    source="https://man7.org/linux/man-pages/man8/depmod.8.html",
)

JOURNAL_CATALOG: Final = _compiled(
    identifier="journal-catalog",
    title="The catalogue of log messages was compiled at another moment",
    explanation="The database holds the catalogues that were there when `journalctl --update-catalog` ran last; "
    "before systemd 244 their order in it was random.",
    globs=("var/lib/systemd/catalog/database",),
    magics=(b"RHHHKSLP",),
    command="mkosi-chroot journalctl --update-catalog",
    source="https://github.com/systemd/systemd/pull/13482",
)

ICON_CACHE: Final = _compiled(
    identifier="icon-cache",
    title="A theme's index of icons was made at another moment",
    explanation="The index lists the icons that were there when gtk-update-icon-cache ran last.",
    globs=("usr/share/icons/*/icon-theme.cache",),
    magics=(b"\0\1\0\0",),
    command="""mkosi-chroot sh -c 'for theme in /usr/share/icons/*/; do gtk-update-icon-cache -f "$theme"; done'""",
    source="https://docs.gtk.org/gtk3/gtk-update-icon-cache.html",
)

MIME_CACHE: Final = _compiled(
    identifier="mime-cache",
    title="The database of file types was made at another moment",
    explanation="The database holds the file types that packages had declared when update-mime-database ran last.",
    globs=("usr/share/mime/mime.cache",),
    magics=(b"\0\1\0\1", b"\0\1\0\2"),
    command="mkosi-chroot update-mime-database /usr/share/mime",
    source="https://specifications.freedesktop.org/shared-mime-info-spec/latest/",
)

SCHEMA_CACHE: Final = _compiled(
    identifier="schema-cache",
    title="The settings' schemas were compiled at another moment",
    explanation="gschemas.compiled holds the schemas that were there when glib-compile-schemas ran last.",
    globs=("usr/share/glib-2.0/schemas/gschemas.compiled",),
    magics=(b"GVariant", b"raVGtnai"),
    command="mkosi-chroot glib-compile-schemas /usr/share/glib-2.0/schemas",
    source="https://docs.gtk.org/gio/glib-compile-schemas.html",
)

_DIRECTORIES: Final = re.compile(r'/[^\s":,]*/')
_MODULE_LISTS: Final = ("*/gdk-pixbuf-2.0/*/loaders.cache", "*/gio/modules/giomodule.cache", "*/immodules.cache")


def _is_module_list(difference: Difference, _facts: Facts) -> bool:
    """The same modules by other paths, or in another order."""
    pair = contents.texts(difference)
    if pair is None or not places.matches(difference.path, *_MODULE_LISTS):
        return False
    before, after = (sorted(_DIRECTORIES.sub("/", text).splitlines()) for text in pair)
    return before == after


MODULE_LIST: Final = Rule(
    cause=Cause(
        identifier="module-list",
        title="A list of loadable modules has other paths or another order",
        explanation="A tool listed the modules of a library by the path under which it saw them, in the order in which "
        "it was given them.",
        fix=render(
            (
                script("mkosi-chroot sh -c '/usr/lib/*/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders --update-cache'"),
                advice(
                    "Of others, run the tool that makes the list inside the image too: gio-querymodules, "
                    "gtk-query-immodules-3.0."
                ),
            )
        ),
        source="https://github.com/ubuntu/gnome-sdk/pull/254",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_module_list,
    globs=_MODULE_LISTS,
)

_HWDB: Final = b"KSLPHHRH"
_HWDBS: Final = ("usr/lib/udev/hwdb.bin", "etc/udev/hwdb.bin", "lib/udev/hwdb.bin")


def _is_hwdb(difference: Difference, _facts: Facts) -> bool:
    """Two databases of one systemd, with nodes of one size in all: what differs is what their strings say."""
    pair = contents.both(difference)
    if pair is None or not places.matches(difference.path, *_HWDBS) or not contents.starts(difference, _HWDB):
        return False
    # Magic, version of the tool, size of the file, five sizes and places, length of the nodes, length of the strings.
    heads = [content.head[:80] for content in pair]
    if any(len(head) < 80 for head in heads):
        return False
    (first, second) = (struct.unpack("<8s9Q", head) for head in heads)
    return (first[1], *first[3:9]) == (second[1], *second[3:9])


def _hwdb_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    return (*remove(difference), _HWDB_ONCE)


_HWDB_ONCE: Final = advice("mkosi makes the database itself: let no script call `systemd-hwdb update --root=` besides.")

HWDB: Final = Rule(
    cause=Cause(
        identifier="hwdb",
        title="The hardware database names the files that it was made from",
        explanation="systemd-hwdb writes the paths of its sources as it saw them, and with --root= that is a directory "
        "of the machine that builds.",
        fix=render((setting("Content", "RemoveFiles=/usr/lib/udev/hwdb.bin"), _HWDB_ONCE)),
        source="https://github.com/NixOS/nixpkgs/issues/558933",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_hwdb,
    globs=_HWDBS,
    remedies=_hwdb_remedies,
)

_LOCALE_ARCHIVE: Final = "usr/lib/locale/locale-archive"
_LOCALES: Final = (0xDE020109).to_bytes(4, "little")


def _is_locale_archive(difference: Difference, _facts: Facts) -> bool:
    """Two archives of equally many locales."""
    pair = contents.both(difference)
    if pair is None or not places.matches(difference.path, _LOCALE_ARCHIVE):
        return False
    # Magic, serial, place and used and size of the table of names, place and used and size of strings, place and used
    # and size of the table of locales, place and used and size of the table of sums.
    heads = [content.head[:56] for content in pair]
    if not contents.starts(difference, _LOCALES) or any(len(head) < 56 for head in heads):
        return False
    first, second = (struct.unpack("<14I", head) for head in heads)
    return all(first[index] == second[index] for index in (3, 9, 12))


LOCALE_ARCHIVE: Final = Rule(
    cause=Cause(
        identifier="locale-archive",
        title="Locales were added to the archive in another order",
        explanation="localedef adds one locale after the other to the archive, and what comes first lies first.",
        fix=render(
            (
                setting("Content", "Locale=C.UTF-8"),
                advice(
                    "Or add them one after the other in a fixed order, or as directories: `localedef --no-archive`."
                ),
            )
        ),
        source="https://github.com/NixOS/nixpkgs/issues/245360",
    ),
    phase=Phase.CONTENT,
    fields=(Field.CONTENT,),
    recognise=_is_locale_archive,
    globs=(_LOCALE_ARCHIVE,),
)
