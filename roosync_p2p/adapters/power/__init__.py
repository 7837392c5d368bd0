"""What the computer is about to do, and what it runs on: sleep, shutdown, end of the session, battery.

One port (:mod:`~roosync_p2p.adapters.power.port`) with one implementation a platform; a node that is told hands over
within seconds instead of being missed.
"""

from __future__ import annotations

import sys

from roosync_p2p.adapters.power.battery import on_battery
from roosync_p2p.adapters.power.memory import MemoryPower
from roosync_p2p.adapters.power.nowhere import NoPower
from roosync_p2p.adapters.power.port import Heard, Hold, Notice, PowerNotices, Warned
from roosync_p2p.adapters.power.threaded import ThreadedPower

__all__ = ["Heard", "Hold", "MemoryPower", "Notice", "PowerNotices", "Warned", "on_battery", "system_power"]


def system_power(warned: Warned) -> PowerNotices:
    """The notices of this computer.

    Args:
        warned: called with one sentence when there are none, and again only after there were some.
    """
    notices: PowerNotices
    if sys.platform == "win32":
        from roosync_p2p.adapters.power.windows import WindowMessages  # noqa: PLC0415 - each platform loads its own

        notices = ThreadedPower(WindowMessages(), warned)
    elif sys.platform == "darwin":
        from roosync_p2p.adapters.power.macos import SystemPowerMessages  # noqa: PLC0415 - the same

        notices = ThreadedPower(SystemPowerMessages(), warned)
    else:
        notices = _logind(warned)
    return notices


def _logind(warned: Warned) -> PowerNotices:
    try:
        from roosync_p2p.adapters.power.logind import LogindPower  # noqa: PLC0415 - each platform loads its own
    except ImportError as error:  # its library is a dependency on Linux alone
        return NoPower(warned, str(error))
    return LogindPower(warned)
