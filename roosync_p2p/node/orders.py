"""One request that needs the fleet's order, from its caller to its outcome (docs/protocol/ordering.md §4).

The node goes on with a request whose caller has hung up; what it was granted then is given back.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import anyio
import anyio.abc
import anyio.to_thread
import msgspec

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.canonical import unpack
from roosync_p2p.codec.records import decode
from roosync_p2p.core.commands import OrderEntry
from roosync_p2p.core.ports import Reader
from roosync_p2p.core.rows import CommitRow
from roosync_p2p.errors import MalformedError, RoosyncError
from roosync_p2p.ids import EntryId
from roosync_p2p.ledger.bodies import ClaimAcquire, Fence, OrderedBody, RequestWithdraw
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.refusals import refusal

__all__ = ["Circumstances", "FenceAsked", "OrderAsked", "Orders", "Outcome", "outcome_of"]

_LOG: Final = logging.getLogger(__name__)
T = TypeVar("T")
B = TypeVar("B", bound=OrderedBody)


class FenceAsked(Protocol):
    """A claim that has to be held."""

    @property
    def name(self) -> str: ...
    @property
    def token(self) -> int: ...


class OrderAsked(Protocol):
    """What every request that has to be ordered may say."""

    @property
    def timeout_s(self) -> float: ...
    @property
    def idempotency_key(self) -> str | None: ...
    @property
    def fence(self) -> FenceAsked | None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """The same, as the node itself asks."""

    timeout_s: float = limits.ORDER_TIMEOUT_S
    idempotency_key: str | None = None
    fence: FenceAsked | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An entry that was accepted.

    Attributes:
        detail: the ledger's facts about it.
        again: the same request was answered before, so the world may have moved on since.
    """

    entry: EntryId
    number: int
    time: str
    detail: Mapping[str, Any]
    again: bool

    def shown(self) -> dict[str, Any]:
        """As the API answers where there is nothing better to show."""
        return {"commit_number": self.number, "time": self.time, "detail": dict(self.detail)}


class Orders:
    """Asks the core for entries and waits for what becomes of them.

    Args:
        tasks: lives as long as the node; holds what goes on without its caller.
    """

    def __init__(self, performer: Performer, reader: Reader, tasks: anyio.abc.TaskGroup) -> None:
        self._performer = performer
        self._reader = reader
        self._tasks = tasks

    async def order(
        self,
        kind: str,
        body: OrderedBody,
        asked: OrderAsked,
        *,
        not_after_s: float | None = None,
        derived: tuple[str, ...] = (),
    ) -> Outcome:
        """Writes the entry and returns when it is accepted, durably here.

        Args:
            body: without epoch, not-after, key and fence, which are filled in.
            not_after_s: from when on the request is refused, and given back if it was granted; None: it stands.
            derived: fields that the node chose and not the caller: a retry takes those of the first time.

        Raises:
            InputFault: the ledger refuses; the code is its reason.
            UndecidedError: ``pending``: it is not ordered yet.
        """
        body = _with_circumstances(body, asked)
        remembered = outcome = None
        if asked.idempotency_key is not None:
            key = asked.idempotency_key
            remembered = await self._store(lambda: self._reader.order_key(key))
        if remembered is not None:
            entry = remembered.entry
            body = await self._as_before(entry, body, derived)
            present = self._performer.core.commit.again.now(entry)  # an epoch may have overtaken it
            row = await self._store(lambda: self._reader.commit_of(present))
            outcome = None if row is None else outcome_of(row)
        command = OrderEntry(
            kind=kind,
            body=body,
            timeout_s=asked.timeout_s,
            not_after_s=not_after_s,
            withdraw=not_after_s is not None,
            idempotency_key=asked.idempotency_key,
            remembered=remembered,
            outcome=outcome,
        )
        answer = await _Ask(self, command).answer()
        return _accepted(answer, again=outcome is not None)

    async def request(self, command: OrderEntry) -> dict[str, Any]:
        """Asks the core. Its own timeout answers; the performer's only ends what a stuck disk would hold for ever."""
        longest_s = command.timeout_s + limits.STARTUP_CHECK_S + limits.REQUEST_TIMEOUT_S
        return await self._performer.request(command, timeout_s=longest_s)

    def go_on(self, work: Callable[[], Any]) -> None:
        """Starts something that the caller does not wait for."""
        self._tasks.start_soon(work)

    async def first_body(self, asked: OrderAsked, kind: type[B]) -> B | None:
        """What a request with this idempotency key said the first time; None if there was none, or of another kind."""
        key = asked.idempotency_key
        remembered = None if key is None else await self._store(lambda: self._reader.order_key(key))
        return None if remembered is None else await self._body(remembered.entry, kind)

    async def _as_before(self, entry: EntryId, body: B, derived: tuple[str, ...]) -> B:
        before = await self._body(entry, type(body)) if derived else None
        if before is None:  # another kind under this key: the core says so
            return body
        return msgspec.structs.replace(body, **{name: getattr(before, name) for name in derived})

    async def _body(self, entry: EntryId, kind: type[B]) -> B | None:
        found = await self._store(lambda: self._reader.ordered_entries([entry]))
        try:
            return decode(found[entry][1], kind) if entry in found else None
        except MalformedError:
            return None

    async def _store(self, read: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(read)


class _Ask:
    """One request, which goes on when its caller is gone."""

    def __init__(self, orders: Orders, command: OrderEntry) -> None:
        self._orders = orders
        self._command = command
        self._answered = anyio.Event()
        self._answer: dict[str, Any] | RoosyncError | None = None
        self._abandoned = False

    async def answer(self) -> dict[str, Any]:
        """The core's answer, as it comes."""
        self._orders.go_on(self._run)
        try:
            await self._answered.wait()
        finally:
            self._abandoned = not self._answered.is_set()
        if isinstance(self._answer, RoosyncError):
            raise self._answer
        assert self._answer is not None
        return self._answer

    async def _run(self) -> None:
        try:
            self._answer = await self._orders.request(self._command)
        except RoosyncError as error:
            self._answer = error
        self._answered.set()
        if self._abandoned and self._command.withdraw and isinstance(self._answer, dict):
            await self._give_back(self._answer)

    async def _give_back(self, answer: Mapping[str, Any]) -> None:
        if not answer["outcome"]["accepted"]:
            return
        body = self._command.body
        name = body.name if isinstance(body, ClaimAcquire) else ""
        withdraw = RequestWithdraw(entry=bytes.fromhex(answer["entry"]), name=name)
        try:
            await self._orders.request(
                OrderEntry(kind="request.withdraw", body=withdraw, timeout_s=limits.ORDER_TIMEOUT_S)
            )
        except RoosyncError as error:
            _LOG.warning("what nobody waits for any more was not given back: %s", error.message)


def outcome_of(row: CommitRow) -> dict[str, object]:
    """What the core answered when this number was applied."""
    assert row.entry is not None
    return {
        "entry": row.entry.hex(),
        "commit_number": row.number,
        "time": rfc3339(row.time_ms),
        "kind": row.kind,
        "outcome": {
            "accepted": row.accepted,
            "reason": row.reason,
            "detail": unpack(row.detail, size_max=limits.ENTRY_BODY_BYTES_MAX),
        },
    }


def _with_circumstances(body: B, asked: OrderAsked) -> B:
    fence = None if asked.fence is None else Fence(name=asked.fence.name, token=asked.fence.token)
    return msgspec.structs.replace(body, fence=fence, key=asked.idempotency_key or "")


def _accepted(answer: Mapping[str, Any], *, again: bool) -> Outcome:
    outcome = answer["outcome"]
    if not outcome["accepted"]:
        raise refusal(
            outcome["reason"],
            outcome["detail"],
            kind=str(answer["kind"]),
            facts={"entry": answer["entry"], "commit_number": answer["commit_number"]},
        )
    return Outcome(
        entry=EntryId(bytes.fromhex(answer["entry"])),
        number=int(answer["commit_number"]),
        time=str(answer["time"]),
        detail=outcome["detail"],
        again=again,
    )
