"""Extended attributes that come from the machine that builds."""

from typing import Final

from ci_toolkit.compare.difference import Difference, Field
from ci_toolkit.compare.facts import Facts
from ci_toolkit.compare.finding import Cause
from ci_toolkit.compare.pairs import XATTR_ORDER
from ci_toolkit.compare.rules.remedy import Remedy, advice, render
from ci_toolkit.compare.rules.rule import Phase, Rule

# systemd-repart notes on the root of each file system where it belongs.
_OF_REPART: Final = "user.validatefs."


def _is_label(difference: Difference, _facts: Facts) -> bool:
    return difference.name in ("security.selinux", "security.ima", "security.evm")


def _is_capability(difference: Difference, _facts: Facts) -> bool:
    return difference.name == "security.capability"


def _is_acl(difference: Difference, _facts: Facts) -> bool:
    return difference.name in ("system.posix_acl_default", "system.posix_acl_access")


def _is_order(difference: Difference, _facts: Facts) -> bool:
    return difference.name == XATTR_ORDER and isinstance(difference.before, tuple)


def _order_remedies(difference: Difference, _facts: Facts) -> tuple[Remedy, ...]:
    names = difference.before if isinstance(difference.before, tuple) else ()
    if any(str(name).startswith(_OF_REPART) for name in names):
        return (advice("In mkosi.repart/*.conf, below [Partition]: AddValidateFS=no"),)
    return ()


XATTR_ORDERED: Final = Rule(
    cause=Cause(
        identifier="xattr-order",
        title="The same extended attributes in another order",
        explanation="mkfs copies the extended attributes of a file in the order in which the file system that the "
        "build lies on lists them: the order on tmpfs is not that of ext4.",
        fix=render((advice("Build both on one kind of file system, or leave all attributes but one out."),)),
        source="https://www.freedesktop.org/software/systemd/man/latest/systemd-validatefs@.service.html",
    ),
    phase=Phase.METADATA,
    fields=(Field.XATTR,),
    recognise=_is_order,
    remedies=_order_remedies,
)

SECURITY_LABEL: Final = Rule(
    cause=Cause(
        identifier="security-label",
        title="Security labels of the build host",
        explanation="The kernel of the machine that builds labels new files by its own SELinux or IMA policy, "
        "and the labels are copied into the image.",
        fix=render((advice("Build both on a host without SELinux, or let SELinuxRelabel=yes label the image."),)),
        source="https://github.com/systemd/mkosi/commit/7d1d1196",
    ),
    phase=Phase.METADATA,
    fields=(Field.XATTR,),
    recognise=_is_label,
)

DEFAULT_ACL: Final = Rule(
    cause=Cause(
        identifier="default-acl",
        title="Access control lists of the build directory",
        explanation="Files made below a directory with a default access control list inherit it.",
        fix=render((advice("Build in a directory without one: `setfacl --recursive --remove-all <directory>`."),)),
        source="https://man7.org/linux/man-pages/man5/acl.5.html",
    ),
    phase=Phase.METADATA,
    fields=(Field.XATTR,),
    recognise=_is_acl,
)

CAPABILITY: Final = Rule(
    cause=Cause(
        identifier="file-capability",
        title="File capabilities depend on who builds",
        explanation="Only a process that holds CAP_SETFCAP may set a capability, in a user namespace the kernel adds "
        "the number of its root, and a copy without extended attributes loses it.",
        fix=render((advice("Build both with the full range of user ids: `ci-toolkit build`, or mkosi as root."),)),
        source="https://man7.org/linux/man-pages/man7/capabilities.7.html",
    ),
    phase=Phase.METADATA,
    fields=(Field.XATTR,),
    recognise=_is_capability,
)
