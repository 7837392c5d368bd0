"""Notices on Linux, from systemd's logind or elogind over the system bus.

The protocol is that of https://systemd.io/INHIBITOR_LOCKS/: a *delay* lock is a file descriptor; while it is open,
logind announces sleep and shutdown with a signal and waits for it to be closed, as long as InhibitDelayMaxSec says (5 s
by default). A lock must be taken again after each time. The end of a session is not announced there: processes get
SIGTERM, which the node hears anyway.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import anyio
import anyio.abc
import jeepney
from jeepney.bus_messages import message_bus
from jeepney.fds import FileDescriptor
from jeepney.wrappers import new_method_call

from roosync_p2p import limits
from roosync_p2p.adapters.power.dbus import Bus
from roosync_p2p.adapters.power.port import Heard, Hold, Notice, Warned

__all__ = ["LogindPower", "notice_of_signal"]

_NAME: Final = "org.freedesktop.login1"
_PATH: Final = "/org/freedesktop/login1"
_INTERFACE: Final = "org.freedesktop.login1.Manager"
_SOON: Final = {"PrepareForSleep": Notice.SUSPEND_SOON, "PrepareForShutdown": Notice.SHUTDOWN_SOON}
_MANAGER: Final = jeepney.DBusAddress(_PATH, bus_name=_NAME, interface=_INTERFACE)
_LOCK: Final = ("sleep:shutdown", "roosync", "hands over its part in the fleet's decisions", "delay")


def notice_of_signal(member: str, body: tuple[Any, ...]) -> Notice | None:
    """What a signal of logind means; None for another one.

    ``PrepareForShutdown(false)`` is the end of a shutdown that did not happen.
    """
    match body:
        case (bool(starts),) if member in _SOON:
            return _SOON[member] if starts else Notice.RESUMED
    return None


class LogindPower:
    """The port over logind. Without it, it is tried again from time to time, quietly.

    Args:
        warned: called with one sentence when there is no logind, and again only after there was one.
        address: of the bus.
        hold_s_max: how long a notice may be held.
        retry_s: how long after a failure it is tried again.
    """

    def __init__(
        self,
        warned: Warned,
        *,
        address: str = "SYSTEM",
        hold_s_max: float = limits.POWER_HOLD_S_MAX,
        retry_s: float = limits.POWER_RETRY_S,
    ) -> None:
        self._warned = warned
        self._address = address
        self._hold_s_max = hold_s_max
        self._retry_s = retry_s

    async def run(self, heard: Heard, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """See :class:`~roosync_p2p.adapters.power.port.PowerNotices`."""
        started = warned = False
        while True:
            try:
                async with Bus(self._address) as bus:
                    listener = _Listener(bus, heard, self._hold_s_max)
                    try:
                        await listener.begin()
                        if not started:
                            task_status.started()
                        started, warned = True, False
                        await listener.listen()
                    finally:
                        listener.end()
            except Bus.faults as error:
                if not warned:
                    self._warned(f"sleep and shutdown of this computer are not noticed: {_sentence(error)}")
            if not started:
                task_status.started()
            started = warned = True
            await anyio.sleep(self._retry_s)


class _Listener:
    """What is held on one connection: the lock, and until when at most."""

    def __init__(self, bus: Bus, heard: Heard, hold_s_max: float) -> None:
        self._bus = bus
        self._heard = heard
        self._hold_s_max = hold_s_max
        self._lock: FileDescriptor | None = None
        self._release_at_s = math.inf
        self._owner = ""

    async def begin(self) -> None:
        """Subscribes before it takes the lock, so that nothing is announced in between."""
        for member in _SOON:
            await self._bus.subscribe(_NAME, _PATH, _INTERFACE, member)
        await self._take()

    async def listen(self) -> None:
        """Tells of what is announced, until the bus hangs up."""
        while True:
            with anyio.CancelScope(deadline=self._release_at_s) as until_limit:
                sender, member, body = await self._bus.signal()
            if until_limit.cancelled_caught:
                self.release(self._lock)
                continue
            notice = notice_of_signal(member, body)
            if notice is None or not await self._is_logind(sender):
                continue
            if notice is Notice.RESUMED:
                self._heard(notice, Hold())
                await self._take()
            else:
                self._release_at_s = anyio.current_time() + self._hold_s_max
                self._heard(notice, Hold(functools.partial(self.release, self._lock)))

    def end(self) -> None:
        """Holds nothing any longer."""
        self.release(self._lock)

    def release(self, lock: FileDescriptor | None) -> None:
        """What logind has announced may happen. A lock that was taken since is not touched by a late call."""
        if lock is not None:
            lock.close()
        if lock is self._lock:
            self._lock = None
            self._release_at_s = math.inf

    async def _take(self) -> None:
        self.release(self._lock)
        (self._lock,) = await self._bus.call(new_method_call(_MANAGER, "Inhibit", "ssss", _LOCK))

    async def _is_logind(self, sender: str) -> bool:
        """Anybody on the bus may send us a signal by our own name; only its owner speaks for logind."""
        if sender != self._owner:  # it may have been started again
            (self._owner,) = await self._bus.call(message_bus.GetNameOwner(_NAME))
        return sender == self._owner


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__
