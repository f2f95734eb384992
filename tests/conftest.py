"""What tests of every room rest on: no signal is ignored, also where the run was started by nohup or in the background.

And the forges on loopback, which comments are written to and read from.
"""

import signal
import threading
from collections.abc import Iterator

import pytest
from fake_github import FakeGitHub
from fake_gitlab import FakeGitLab
from hypothesis import settings

# How long an example takes tells of the machine, not of the code.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")

# Whoever starts a program hands on what is ignored, and so would the programs that tests start and interrupt.
if threading.current_thread() is threading.main_thread():
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    fake = FakeGitHub()
    with fake.server:
        yield fake
    assert fake.server.violations == []


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    fake = FakeGitLab()
    with fake.server:
        yield fake
    assert fake.server.violations == []
