import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from ci_toolkit.host.environment import NORMAL, VARIED
from ci_toolkit.mkosi import command, config
from ci_toolkit.mkosi.command import Call
from tests.mkosi.test_config import summary

CALL = Call(directory=Path("/source/images"), profiles=("vm",), arguments=("--debug",), environment=NORMAL, epoch=None)


def test_a_build_names_everything_that_it_is_pinned_to() -> None:
    call = replace(CALL, epoch=5, seed="s", output=Path("/o"), workspace=Path("/w"), packages=Path("/p"))
    assert command.build(call).argv == (
        "mkosi",
        "--directory=/source/images",
        "--profile=vm",
        "--source-date-epoch=5",
        "--seed=s",
        "--debug",
        "--force",
        "--incremental=no",
        "--manifest-format=json",
        "--output-directory=/o",
        "--workspace-directory=/w",
        "--package-cache-directory=/p",
        "build",
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), True),
        (("--debug", "--cache-only=metadata"), True),
        (("--cache-only=always",), False),
        (("--cache-only", "always", "--debug"), False),
        (("--cache-only=always", "--cache-only=never"), True),
    ],
)
def test_a_build_that_may_ask_for_no_packages_wants_no_network(arguments: tuple[str, ...], expected: bool) -> None:
    assert command.wants_network(arguments) is expected


def test_the_environment_is_built_and_holds_nothing_of_the_caller() -> None:
    assert command.build(CALL).environment == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": NORMAL.home,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "SYSTEMD_COLORS": "0",
    }


def test_the_varied_build_gets_another_zone_locale_and_home() -> None:
    varied = command.build(replace(CALL, environment=VARIED)).environment
    assert (varied["TZ"], varied["LC_ALL"], varied["HOME"]) == (VARIED.zone, VARIED.locale, VARIED.home)


def test_a_derived_seed_is_a_uuid_that_depends_on_the_image_and_its_directory_only() -> None:
    (image,) = config.parse_summary(summary())
    (again,) = config.parse_summary(summary(Seed="another"))
    (other,) = config.parse_summary(summary(ImageId="other"))
    seed = command.derive_seed(image, Path("images"))
    assert uuid.UUID(seed).version == 5
    assert seed == command.derive_seed(again, Path("images"))
    assert len({seed, command.derive_seed(other, Path("images")), command.derive_seed(image, Path("other"))}) == 3
