"""Messages of IOKit, read as its header says. The registration itself was never made by a test."""

from __future__ import annotations

import sys
import threading

import pytest

from roosync_p2p.adapters.power import macos
from roosync_p2p.adapters.power.port import Notice


@pytest.mark.parametrize(
    ("message", "notice", "answered"),
    [
        (macos.CAN_SYSTEM_SLEEP, None, True),
        (macos.SYSTEM_WILL_SLEEP, Notice.SUSPEND_SOON, True),
        (macos.SYSTEM_WILL_NOT_SLEEP, None, False),
        (macos.SYSTEM_WILL_POWER_ON, None, False),
        (macos.SYSTEM_HAS_POWERED_ON, Notice.RESUMED, False),
    ],
)
def test_a_message_means(message: int, notice: Notice | None, answered: bool) -> None:
    assert macos.notice_of_message(message) is notice
    assert macos.is_to_be_allowed(message) is answered


@pytest.mark.skipif(sys.platform == "darwin", reason="here the framework is there")
def test_without_the_framework_there_is_nothing_to_listen_to() -> None:
    with pytest.raises(OSError, match="IOKit"):
        macos.SystemPowerMessages().listen(lambda _notice: None, threading.Event())
