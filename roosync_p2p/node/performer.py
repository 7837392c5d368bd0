"""Owns a core: gives it inputs, performs its effects, keeps its promises (docs/protocol/core.md §2 and §4).

Everything here runs in one event loop, so the core is never entered twice. Signatures of larger frames are verified in
worker threads, one frame of a link at a time, so that a link's order is kept. One thread writes to the store: whatever
gathered while it was busy becomes the next transaction (group commit).
"""

from __future__ import annotations

import collections
import logging
import math
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.system import read_now
from roosync_p2p.core import effects, inputs
from roosync_p2p.core.blob_jobs import BlobJob, blob_done, blobs_found
from roosync_p2p.core.commands import Command
from roosync_p2p.core.folder.jobs import FolderJob
from roosync_p2p.core.intake import prepare, signatures_in
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.core.ports import Blobs, FrameArrived, LinkId, Store, Transport, TransportEvent
from roosync_p2p.core.store_reads import StoreRead, answered, unanswered
from roosync_p2p.errors import EnvironmentFault, PeerFault, RoosyncError, StoreError

__all__ = ["Performer"]

_LOG: Final = logging.getLogger(__name__)

INLINE_SIGNATURES_MAX: Final = 3  # a thread costs about as much as verifying two signatures
HEALTH_INTERVAL_S: Final = 1.0
STORE_RETRY_FIRST_S: Final = 0.5
STORE_RETRY_MAX_S: Final = 5.0


class Performer:
    """Runs one core until it says stop.

    Args:
        core: a fresh one.
        store: its store; the caller closes it after :meth:`run` has ended.
        notify: gets every event of the core, in order.
        blobs: what messages bring along; without it nothing is fetched.
    """

    def __init__(
        self, core: NodeCore, store: Store, notify: Callable[[effects.Notify], None], blobs: Blobs | None = None
    ) -> None:
        self.core: Final = core
        self._store: Final = store
        self._notify: Final = notify
        self._blobs: Final = blobs
        self._blob_jobs: collections.deque[BlobJob] = collections.deque()
        self._to_blobs = anyio.Event()
        self._transport: Transport | None = None
        self._folder: Callable[[FolderJob], None] | None = None
        self._outbox: Final = Outbox()
        self._inputs: collections.deque[inputs.Input] = collections.deque()
        self._busy = False
        self._persist: collections.deque[effects.Persist] = collections.deque()
        self._oldest_write_s: float | None = None
        self._newest = effects.Ticket(0)
        self._flushes: collections.deque[tuple[effects.Ticket, anyio.Event]] = collections.deque()
        self._answers: dict[effects.RequestId, _Waiter] = {}
        self._next_request = 1
        self._heavy: dict[LinkId, bytes] = {}
        self._to_write = anyio.Event()
        self._hurry = anyio.Event()  # set while somebody waits for what is to be written
        self._idle = anyio.Event()  # set while nothing waits for the disk
        self._rearm = anyio.Event()
        self._armed_s = -math.inf  # what the timers sleep until; before they run nothing has to wake them
        self._reads: collections.deque[StoreRead] = collections.deque()
        self._to_read = anyio.Event()
        self._stopped = anyio.Event()
        self.ended: Final = anyio.Event()
        self.stop_reason = ""
        self.install: Callable[[effects.InstallCertificate], None] = lambda _effect: None

    # --- the outside ----------------------------------------------------------------------------------------------

    def attach(self, transport: Transport) -> None:
        """The transport whose events come to :meth:`arrived`."""
        self._transport = transport

    def attach_folder(self, take: Callable[[FolderJob], None]) -> None:
        """Who does the jobs in the shared folder; without one there are none."""
        self._folder = take

    def arrived(self, event: TransportEvent) -> None:
        """The transport's sink."""
        if not isinstance(event, FrameArrived):
            self.feed(event)
        elif signatures_in(event.data) > INLINE_SIGNATURES_MAX:
            self._heavy[event.link] = event.data  # verified in finish_frame, before the link's next frame
        else:
            self._verified(event.link, event.data)

    async def finish_frame(self, link: LinkId) -> None:
        """The transport awaits this after each frame of a link: larger ones are verified here, off the loop."""
        data = self._heavy.pop(link, None)
        if data is not None:
            directory = self.core.directory
            try:
                prepared = await anyio.to_thread.run_sync(prepare, data, directory)
            except PeerFault as fault:
                self.feed(inputs.BadFrame(link=link, fault=fault))
            else:
                self.feed(inputs.FrameReceived(link=link, prepared=prepared))

    async def request(self, command: Command, *, timeout_s: float = limits.REQUEST_TIMEOUT_S) -> dict[str, object]:
        """Asks the core and waits until what it answers is durable.

        Raises:
            RoosyncError: the core refused, or the disk did not take it in time.
        """
        request = effects.RequestId(self._next_request)
        self._next_request += 1
        waiter = self._answers[request] = _Waiter()
        self.feed(inputs.Request(request=request, command=command))
        with anyio.move_on_after(timeout_s):
            await waiter.done.wait()
        self._answers.pop(request, None)
        if waiter.result is None:
            raise EnvironmentFault(
                "this machine's disk did not store the request in time; it is stored later if the disk recovers",
                code="not_durable",
                remedy="roosync doctor; repeat it with the same idempotency key to be sure",
            )
        if isinstance(waiter.result, RoosyncError):
            raise waiter.result
        return waiter.result

    async def flushed(self) -> None:
        """Returns once everything that the core has written until now is in the store, for whoever reads there.

        While the disk takes nothing it returns after ``FLUSH_S``: what is there can be read all the same.
        """
        ticket = self._newest
        if self._outbox.durable >= ticket:
            return
        self._hurry.set()
        written = anyio.Event()
        self._flushes.append((ticket, written))
        with anyio.move_on_after(limits.FLUSH_S):
            await written.wait()

    def feed(self, happened: inputs.Input) -> None:
        """Gives the core an input and does what follows. Safe from within an effect."""
        self._inputs.append(happened)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inputs:
                self.core.handle(self._inputs.popleft(), read_now())
                self._perform(self.core.effects())
        finally:
            self._busy = False
        deadline = self.core.next_deadline()
        if deadline is not None and deadline < self._armed_s:
            self._rearm.set()

    # --- tasks ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until the core stops: timers, writer, reader, health."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._timers)
            tasks.start_soon(self._writer)
            tasks.start_soon(self._reader)
            if self._blobs is not None:
                tasks.start_soon(self._serve_blobs, self._blobs)
            tasks.start_soon(self._health)
            await self._stopped.wait()
            await self._written(limits.SHUTDOWN_WRITE_S)
            tasks.cancel_scope.cancel()
        self.ended.set()

    async def stop(self, reason: str) -> None:
        """Says farewell; :meth:`run` ends soon after."""
        self.feed(inputs.Shutdown(reason=reason))

    async def _timers(self) -> None:
        """Sleeps until a deadline. One that comes earlier wakes it; one that moved later is found on waking."""
        while True:
            self._rearm = anyio.Event()
            deadline = self.core.next_deadline()
            self._armed_s = math.inf if deadline is None else deadline
            with anyio.move_on_after(max(0.0, self._armed_s - read_now().monotonic_s)):
                await self._rearm.wait()
            if read_now().monotonic_s >= self._armed_s:
                self.feed(inputs.Tick())

    async def _writer(self) -> None:
        delay_s = STORE_RETRY_FIRST_S
        while True:
            if not self._persist:
                self._to_write = anyio.Event()
                self._oldest_write_s = None
                self._idle.set()
                await self._to_write.wait()
            if not self._hurry.is_set():
                with anyio.move_on_after(limits.PERSIST_LINGER_S):
                    await self._hurry.wait()
            batch = self._next_batch()
            rows = [row for persist in batch for row in persist.rows]
            try:
                await anyio.to_thread.run_sync(self._store.commit, rows)
            except StoreError as fault:
                # Nothing of it was written; it stays queued, and whatever would report it stays back.
                self._persist.extendleft(reversed(batch))
                self._hurry.set()
                _LOG.error("store: %s", fault.message, extra={"code": fault.code})
                self.feed(inputs.PersistFailed(fault=fault))
                self._refuse_waiting(fault)
                await anyio.sleep(delay_s)
                delay_s = min(2 * delay_s, STORE_RETRY_MAX_S)
                continue
            delay_s = STORE_RETRY_FIRST_S
            self._oldest_write_s = read_now().monotonic_s if self._persist else None
            for effect in self._outbox.persisted(batch[-1].ticket):
                self._do(effect)
            self.feed(inputs.Persisted(ticket=batch[-1].ticket))
            while self._flushes and self._flushes[0][0] <= batch[-1].ticket:
                self._flushes.popleft()[1].set()

    def _next_batch(self) -> list[effects.Persist]:
        batch = [self._persist.popleft()]
        rows = len(batch[0].rows)
        while self._persist and rows + len(self._persist[0].rows) <= limits.GROUP_COMMIT_ROWS_MAX:
            batch.append(self._persist.popleft())
            rows += len(batch[-1].rows)
        if not self._persist:
            self._hurry = anyio.Event()
        return batch

    async def _written(self, timeout_s: float) -> None:
        self._hurry.set()
        with anyio.move_on_after(timeout_s):
            await self._idle.wait()

    async def _reader(self) -> None:
        while True:
            if not self._reads:
                self._to_read = anyio.Event()
                await self._to_read.wait()
            wanted = self._reads.popleft()
            try:
                answer = await anyio.to_thread.run_sync(answered, self._store, wanted)
            except StoreError as fault:
                _LOG.error("store: %s", fault.message, extra={"code": fault.code})
                answer = unanswered(wanted)
            self.feed(answer)

    async def _serve_blobs(self, blobs: Blobs) -> None:
        """One job after the other, in a thread; how many wait is bounded by what the core asks at once."""
        try:
            self.feed(await anyio.to_thread.run_sync(blobs_found, blobs))
        except StoreError as fault:
            _LOG.error("attachments: %s", fault.message, extra={"code": fault.code})
            return
        while True:
            if not self._blob_jobs:
                self._to_blobs = anyio.Event()
                await self._to_blobs.wait()
            answer = await anyio.to_thread.run_sync(blob_done, blobs, self._blob_jobs.popleft())
            if answer is not None:
                self.feed(answer)

    async def _health(self) -> None:
        while True:
            before_s = read_now().monotonic_s
            await anyio.sleep(HEALTH_INTERVAL_S)
            now_s = read_now().monotonic_s
            self.feed(
                inputs.Health(
                    loop_lag_s=max(0.0, now_s - before_s - HEALTH_INTERVAL_S),
                    disk_lag_s=0.0 if self._oldest_write_s is None else max(0.0, now_s - self._oldest_write_s),
                )
            )

    # --- effects --------------------------------------------------------------------------------------------------

    def _verified(self, link: LinkId, data: bytes) -> None:
        try:
            prepared = prepare(data, self.core.directory)
        except PeerFault as fault:
            self.feed(inputs.BadFrame(link=link, fault=fault))
        else:
            self.feed(inputs.FrameReceived(link=link, prepared=prepared))

    def _perform(self, drained: list[effects.Effect]) -> None:
        persist, ready = self._outbox.feed(drained)
        for effect in ready:
            self._do(effect)
        if persist:
            self._newest = persist[-1].ticket
            self._persist.extend(persist)
            if self._oldest_write_s is None:
                self._oldest_write_s = read_now().monotonic_s
                self._idle = anyio.Event()
            self._to_write.set()
            if not all(effect.lingers for effect in persist):
                self._hurry.set()

    def _do(self, effect: effects.Effect) -> None:
        assert self._transport is not None
        match effect:
            case effects.Send(link=link, frame=frame, droppable=droppable):
                self._transport.send(link, frame, droppable=droppable)
            case effects.CloseLink(link=link, reason=reason):
                self._transport.close(link, reason)
            case effects.Dial(dial=dial, address=address):
                self._transport.dial(dial, address)
            case effects.ReadEntries() | effects.ReadOrdered() | effects.ReadCommits():
                self._reads.append(effect)
                self._to_read.set()
            case effects.ReadBlob() | effects.KeepChunk() | effects.DropBlob():
                self._blob_jobs.append(effect)
                self._to_blobs.set()
            case effects.Answer(request=request, result=result):
                self._answer(request, result)
            case effects.Notify():
                self._notify(effect)
            case effects.PublishFiles() | effects.LookIntoFolder() | effects.BlobToFolder() | effects.BlobFromFolder():
                assert self._folder is not None
                self._folder(effect)
            case effects.InstallCertificate():
                self.install(effect)
            case effects.Stop(reason=reason):
                self.stop_reason = reason
                self._stopped.set()
            case effects.Persist():
                raise AssertionError("the outbox keeps these apart")

    def _answer(self, request: effects.RequestId, result: dict[str, object] | RoosyncError) -> None:
        waiter = self._answers.get(request)
        if waiter is not None:
            waiter.result = result
            waiter.done.set()

    def _refuse_waiting(self, fault: StoreError) -> None:
        """Whoever waits for the disk hears now that it fails; what they asked stays queued and is stored later."""
        for request in list(self._answers):
            error = EnvironmentFault(
                f"{fault.message}; the request waits, signed, and is stored when the disk recovers",
                code=fault.code,
                remedy=fault.remedy,
            )
            self._answer(request, error)


class _Waiter:
    def __init__(self) -> None:
        self.done = anyio.Event()
        self.result: dict[str, object] | RoosyncError | None = None
