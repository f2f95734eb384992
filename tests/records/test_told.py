from dataclasses import replace

import click
import pytest
import recorded

from ci_toolkit.cli import sbom
from ci_toolkit.records import packages
from ci_toolkit.records.record import Installed
from ci_toolkit.records.told import FORMATS


def test_the_verb_offers_every_format() -> None:
    (form,) = (parameter for parameter in sbom.command.params if parameter.name == "form")
    assert isinstance(form.type, click.Choice)
    assert tuple(form.type.choices) == tuple(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_stay_in_their_lines(form: str) -> None:
    evil = Installed(name="a\n::set-env name=x::y\x1b[2J", version="\udcff\u202e", architecture="")
    text = FORMATS[form][0](replace(recorded.RECORD, packages=(evil,)))
    assert text.encode()
    assert "\n::set-env" not in text
    assert "\x1b" not in text


def test_a_package_is_a_line() -> None:
    assert packages.render(recorded.RECORD).splitlines()[0] == "base-files 13.8+deb13u8 amd64"
    assert packages.render(replace(recorded.RECORD, packages=None)) == ""
