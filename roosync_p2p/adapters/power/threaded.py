"""Notices from a system that calls back in a thread of its own and waits for the call to return.

Windows and macOS both want a thread that runs their message loop. The system waits for as long as the callback takes,
so the callback waits for the hold.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.power.port import Heard, Hold, Notice, Warned

__all__ = ["Source", "Tell", "ThreadedPower"]


class Tell(Protocol):
    """What a source calls in its thread; returns when the system may go on."""

    def __call__(self, notice: Notice) -> None: ...


class Source(Protocol):
    """A message loop of the system. Used once."""

    def listen(self, tell: Tell, listening: threading.Event) -> None:
        """Runs in a thread of its own until :meth:`stop`; sets ``listening`` when it can hear.

        Raises:
            OSError: there is nothing to listen to.
        """

    def stop(self) -> None:
        """Makes :meth:`listen` return soon; called from another thread, after ``listening`` was set."""


class ThreadedPower:
    """The port over a source.

    Args:
        source: what it listens to.
        warned: called with one sentence when that does not work.
        hold_s_max: how long a notice may be held.
    """

    def __init__(self, source: Source, warned: Warned, *, hold_s_max: float = limits.POWER_HOLD_S_MAX) -> None:
        self._source = source
        self._warned = warned
        self._hold_s_max = hold_s_max

    async def run(self, heard: Heard, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """See :class:`~roosync_p2p.adapters.power.port.PowerNotices`."""
        listening = threading.Event()
        async with anyio.from_thread.BlockingPortal() as portal:
            thread = _Thread(self._source, _Teller(portal, heard, self._hold_s_max), listening, portal)
            thread.start()
            try:
                await anyio.to_thread.run_sync(listening.wait)
                if thread.fault is not None:
                    self._warned(f"this computer does not say when it sleeps or shuts down: {thread.fault}")
                task_status.started()
                await thread.ended.wait()
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(limits.POWER_STOP_S):
                    await thread.end()
        if thread.fault is None:
            self._warned("this computer no longer says when it sleeps or shuts down")
        await anyio.sleep_forever()


class _Teller:
    """Carries notices from the system's thread into the event loop, and waits there for the hold."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal, heard: Heard, hold_s_max: float) -> None:
        self._portal = portal
        self._heard = heard
        self._hold_s_max = hold_s_max
        self._free = threading.Event()
        self._over = False

    def __call__(self, notice: Notice) -> None:
        if notice is Notice.RESUMED:
            self._tell(notice, Hold())
            return
        # Each time another event: a hold that is released late frees nothing else.
        self._free = free = threading.Event()
        if not self._over:
            self._tell(notice, Hold(free.set))
            free.wait(self._hold_s_max)

    def let_go(self) -> None:
        """Nobody listens any longer, so nobody is waited for."""
        self._over = True
        self._free.set()

    def _tell(self, notice: Notice, hold: Hold) -> None:
        # Not awaited: a stalled loop must not stall the system. RuntimeError: the loop has just ended.
        with contextlib.suppress(RuntimeError):
            self._portal.start_task_soon(self._heard, notice, hold)


class _Thread:
    """The thread of a source.

    Attributes:
        ended: set when it returned.
        fault: why it did.
    """

    def __init__(
        self,
        source: Source,
        teller: _Teller,
        listening: threading.Event,
        portal: anyio.from_thread.BlockingPortal,
    ) -> None:
        self.ended = anyio.Event()
        self.fault: OSError | None = None
        self._source = source
        self._teller = teller
        self._listening = listening
        self._portal = portal

    def start(self) -> None:
        """A daemon, so that a system which does not let go of it does not keep the program."""
        threading.Thread(target=self._run, name="power notices", daemon=True).start()

    async def end(self) -> None:
        """Makes it return and waits for that."""
        self._teller.let_go()
        if not self.ended.is_set():
            self._source.stop()
            await self.ended.wait()

    def _run(self) -> None:
        try:
            self._source.listen(self._teller, self._listening)
        except OSError as error:
            self.fault = error
        self._listening.set()
        with contextlib.suppress(RuntimeError):
            self._portal.start_task_soon(self.ended.set)
