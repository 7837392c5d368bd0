"""What the computer is about to do, and what the node does about it (docs/protocol/autopilot.md, hand-over).

Before a suspend the node gives its vote and its lead to somebody else and lets the computer go on; shutdown, restart
and log-off end it in good order. The computer waits for that, five seconds at most.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio
import anyio.abc
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.power import Hold, Notice, PowerNotices, on_battery, system_power
from roosync_p2p.core import inputs
from roosync_p2p.core.commands import HandOver
from roosync_p2p.errors import RoosyncError
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.surroundings import Surroundings

__all__ = ["watch_battery", "watch_power"]

_LOG: Final = logging.getLogger(__name__)


async def watch_power(performer: Performer, around: Surroundings, notices: PowerNotices | None = None) -> None:
    """Acts on every notice until it is cancelled.

    Args:
        notices: where they come from; None: this computer.
    """
    source = system_power(_warned) if notices is None else notices
    async with anyio.create_task_group() as tasks:

        def heard(notice: Notice, hold: Hold) -> None:
            _LOG.info("power: %s", notice.value)
            match notice:
                case Notice.SUSPEND_SOON:
                    tasks.start_soon(_hand_over, performer, hold)
                case Notice.SHUTDOWN_SOON | Notice.SESSION_ENDING:
                    tasks.start_soon(_end, performer, around, notice, hold)
                case Notice.RESUMED:
                    hold.release()  # the core notices by its clocks

        await source.run(heard)


async def watch_battery(performer: Performer) -> None:
    """Tells the core what this computer runs on, as often as it may matter to who votes."""
    while True:
        battery = await anyio.to_thread.run_sync(on_battery)
        performer.feed(inputs.Power(on_battery=bool(battery)))
        await anyio.sleep(limits.BATTERY_POLL_S)


async def _hand_over(performer: Performer, hold: Hold) -> None:
    try:
        await performer.request(HandOver(timeout_s=limits.HAND_OVER_S), timeout_s=limits.HAND_OVER_S)
    except RoosyncError as fault:
        _LOG.warning("hand-over before the computer sleeps: %s", fault.message, extra={"code": fault.code})
    finally:
        hold.release()


async def _end(performer: Performer, around: Surroundings, notice: Notice, hold: Hold) -> None:
    """The hold lasts until the core has said farewell."""
    around.ask_to_stop(f"the computer: {notice.value}")
    try:
        await performer.ended.wait()
    finally:
        hold.release()


def _warned(message: str) -> None:
    _LOG.warning("%s", message)
