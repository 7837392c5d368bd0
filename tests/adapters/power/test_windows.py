"""Messages to a window, read as Windows' documentation says. The window itself was never opened by a test."""

from __future__ import annotations

import pytest

from roosync_p2p.adapters.power.port import Notice
from roosync_p2p.adapters.power.windows import (
    ENDSESSION_LOGOFF,
    PBT_APMRESUMEAUTOMATIC,
    PBT_APMSUSPEND,
    WM_ENDSESSION,
    WM_POWERBROADCAST,
    WM_QUERYENDSESSION,
    MessageReader,
)

_CLOSE_APP, _CRITICAL = 0x1, 0x40000000
_RESUME_SUSPEND, _POWER_STATUS_CHANGE = 0x7, 0xA
_SIGN_EXTENDED = -0x80000000  # an LPARAM is signed


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        ((WM_POWERBROADCAST, PBT_APMSUSPEND, 0), Notice.SUSPEND_SOON),
        ((WM_POWERBROADCAST, _POWER_STATUS_CHANGE, 0), None),
        ((WM_ENDSESSION, 1, 0), Notice.SHUTDOWN_SOON),
        ((WM_ENDSESSION, 1, _CRITICAL), Notice.SHUTDOWN_SOON),
        ((WM_ENDSESSION, 1, _CLOSE_APP), Notice.SHUTDOWN_SOON),
        ((WM_ENDSESSION, 1, ENDSESSION_LOGOFF), Notice.SESSION_ENDING),
        ((WM_ENDSESSION, 1, ENDSESSION_LOGOFF | _CRITICAL), Notice.SESSION_ENDING),
        ((WM_ENDSESSION, 1, _SIGN_EXTENDED), Notice.SESSION_ENDING),
        ((WM_ENDSESSION, 0, ENDSESSION_LOGOFF), None),  # another program prevented it
        ((WM_QUERYENDSESSION, 0, ENDSESSION_LOGOFF), None),  # a question; others may still say no
        ((0x0400, PBT_APMSUSPEND, 0), None),
    ],
    ids=str,
)
def test_a_message_means(message: tuple[int, int, int], notice: Notice | None) -> None:
    assert MessageReader().notice(*message) is notice


def test_a_sleep_that_is_told_twice_is_one() -> None:
    reader = MessageReader()
    messages = [
        (WM_POWERBROADCAST, PBT_APMSUSPEND, 0),  # by broadcast
        (WM_POWERBROADCAST, PBT_APMSUSPEND, 0),  # by registration
        (WM_POWERBROADCAST, PBT_APMRESUMEAUTOMATIC, 0),
        (WM_POWERBROADCAST, _RESUME_SUSPEND, 0),
        (WM_POWERBROADCAST, PBT_APMRESUMEAUTOMATIC, 0),
        (WM_POWERBROADCAST, PBT_APMSUSPEND, 0),
    ]
    told = [notice for message in messages if (notice := reader.notice(*message))]
    assert told == [Notice.SUSPEND_SOON, Notice.RESUMED, Notice.SUSPEND_SOON]


def test_questions_are_answered_yes_and_the_rest_is_left_to_the_system() -> None:
    reader = MessageReader()
    assert reader.answer(WM_QUERYENDSESSION) == reader.answer(WM_POWERBROADCAST) == 1
    assert reader.answer(WM_ENDSESSION) is None
