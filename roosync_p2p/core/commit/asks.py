"""The requests that wait for their commit number (docs/protocol/ordering.md §4).

A request is an entry in this machine's ledger chain from the moment it is taken: signed, on its way to the disk and to
the others. It is answered when its outcome is applied and durable here, or after its timeout with what it waits for.
Then it is still in the chain, and may be ordered later; what would be granted to somebody who has gone (a claim) is
withdrawn right behind it.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable
from typing import Final

import msgspec

from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.commands import OrderEntry
from roosync_p2p.core.commit.applier import Committed
from roosync_p2p.core.commit.ended import require_member
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer, RequestId, Ticket
from roosync_p2p.core.rows import OrderKeyRow
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.errors import InputFault, UndecidedError
from roosync_p2p.ids import EntryId, Epoch, LogIndex
from roosync_p2p.ledger.bodies import ClaimAcquire, RequestWithdraw
from roosync_p2p.ledger.state import State

__all__ = ["Asks", "outcome_data"]

REQUEST_WITHDRAW: Final = "request.withdraw"
KEYS_REMEMBERED: Final = 4_096  # keys and outcomes kept in memory: longer than a commit takes, so none is missed


@dataclasses.dataclass(slots=True, kw_only=True)
class _Ask:
    request: RequestId
    entry: EntryId
    deadline_s: float
    withdraw: bool
    claim: str


class Asks:
    """Whoever waits for an outcome.

    Args:
        epoch: the one in force.
        now_ms: commit time as this node knows it now.
        waits_for: what an undecided request waits for, as text and as details.
        now: the entry that a request is now, where a new epoch overtook it.
        overtaken: an entry is not wanted any more; whether it was about to be asked anew (and now is not), so that
            nothing has to be withdrawn.
    """

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        *,
        epoch: Callable[[], Epoch],
        now_ms: Callable[[], int],
        waits_for: Callable[[], tuple[str, dict[str, object]]],
        now: Callable[[EntryId], EntryId],
        state: Callable[[], State],
        overtaken: Callable[[EntryId], bool],
    ) -> None:
        self._desk = desk
        self._authorship = authorship
        self._epoch = epoch
        self._now_ms = now_ms
        self._waits_for = waits_for
        self._now = now
        self._state = state
        self._overtaken = overtaken
        self._asks: dict[EntryId, list[_Ask]] = {}
        self._next_s = math.inf  # no request times out before this
        self._answered: collections.OrderedDict[EntryId, Answer] = collections.OrderedDict()
        self._keys: collections.OrderedDict[str, OrderKeyRow] = collections.OrderedDict()

    def ask(self, request: RequestId, command: OrderEntry) -> None:
        """Writes the entry of a request, or finds the one that the same key wrote before, and waits for its outcome.

        Raises:
            InputFault: this machine must not write now, or is no member any more, or the key was used for another
                request.
        """
        known = self._known(command)
        if known is not None:
            entry = self._now(known.entry)
            answered = self._answered.get(entry)
            if answered is None and command.outcome is not None and command.outcome["entry"] == entry.hex():
                answered = Answer(request=request, result=command.outcome, after=Ticket(0))
            if answered is not None:
                self._desk.emit(dataclasses.replace(answered, request=request))
                return
        else:
            require_member(self._desk, self._state())
            entry = self._write(command)
        ask = _Ask(
            request=request,
            entry=entry,
            deadline_s=self._desk.now.monotonic_s + command.timeout_s,
            withdraw=command.withdraw,
            claim=command.body.name if isinstance(command.body, ClaimAcquire) else "",
        )
        self._asks.setdefault(entry, []).append(ask)
        self._next_s = min(self._next_s, ask.deadline_s)

    def rewritten(self, old: EntryId, new: EntryId) -> None:
        """A new epoch overtook an entry, and it was written again: whoever waits for it waits for the new one."""
        asks = self._asks.pop(old, None)
        if asks is not None:
            self._asks[new] = [dataclasses.replace(ask, entry=new) for ask in asks]

    def new_epoch(self) -> None:
        """What was answered may have been given up."""
        self._answered.clear()

    def write(self, kind: str, body: bytes) -> EntryId:
        """Writes an entry that nobody waits for."""
        entry, _ = self._authorship.append(LEDGER, kind, body)
        return entry.id

    def applied(self, done: Committed, *, answer: Callable[[Answer, LogIndex], None]) -> None:
        """An entry got its number: whoever waits for it is answered, through ``answer``."""
        if done.entry is None:
            return
        asks = self._asks.pop(done.entry.id, ())
        if not asks and done.entry.author != self._desk.me:
            return
        result = outcome_data(done)
        self._answered[done.entry.id] = Answer(request=RequestId(0), result=result, after=Ticket(0))
        while len(self._answered) > KEYS_REMEMBERED:
            self._answered.popitem(last=False)
        for ask in asks:
            answer(Answer(request=ask.request, result=result, after=Ticket(0)), done.index)

    def next_deadline(self) -> float | None:
        """When the next request has waited long enough (monotonic seconds)."""
        return self._next_s if self._asks else None

    def tick(self) -> None:
        """Answers whoever waited long enough: undecided, and for whom it waits."""
        now_s = self._desk.now.monotonic_s
        if now_s < self._next_s:
            return
        for entry, asks in list(self._asks.items()):
            due = [ask for ask in asks if ask.deadline_s <= now_s]
            if not due:
                continue
            left = [ask for ask in asks if ask not in due]
            if left:
                self._asks[entry] = left
            else:
                del self._asks[entry]
            text, details = self._waits_for()
            if not left and any(ask.withdraw for ask in due):
                self._withdraw(due[0])
            for ask in due:  # what it says is kept, or withdrawn, is on the disk before
                undecided = self._undecided(ask, text, details)
                self._desk.emit(Answer(request=ask.request, result=undecided, after=self._desk.newest_ticket))
        self._next_s = min((ask.deadline_s for asks in self._asks.values() for ask in asks), default=math.inf)

    def _undecided(self, ask: _Ask, text: str, details: dict[str, object]) -> UndecidedError:
        kept = "it is withdrawn" if ask.withdraw else "it is signed and kept, and is decided when it can be"
        return UndecidedError(
            f"not decided in time: {text}; {kept}",
            remedy=f"roosync pending {ask.entry.hex()[:16]}",
            details={"entry": ask.entry.hex(), **details},
        )

    def _withdraw(self, ask: _Ask) -> None:
        """What nobody waits for any more must not be granted later (a claim whose caller timed out)."""
        if self._overtaken(ask.entry):
            return
        try:
            body = RequestWithdraw(epoch=self._epoch(), entry=ask.entry, name=ask.claim)
            self.write(REQUEST_WITHDRAW, encode(body))
        except InputFault as fault:
            self._desk.count(f"commit.not_withdrawn.{fault.code}")

    def _write(self, command: OrderEntry) -> EntryId:
        late = None if command.not_after_s is None else self._now_ms() + round(command.not_after_s * 1000)
        body = msgspec.structs.replace(command.body, epoch=self._epoch(), not_after_ms=late)
        entry = self.write(command.kind, encode(body))
        if command.idempotency_key is not None:
            row = OrderKeyRow(key=command.idempotency_key, request=_digest(command), entry=entry)
            self._desk.persist(row)
            self._keys[row.key] = row
            while len(self._keys) > KEYS_REMEMBERED:
                self._keys.popitem(last=False)
        return entry

    def _known(self, command: OrderEntry) -> OrderKeyRow | None:
        if command.idempotency_key is None:
            return None
        known = self._keys.get(command.idempotency_key) or command.remembered
        if known is not None and known.request != _digest(command):
            raise InputFault(
                "this idempotency key was used for another request; nothing was done",
                code="key_reused",
                remedy="a retry repeats every field; another request takes another key",
                details={"entry": known.entry.hex()},
            )
        return known


def outcome_data(done: Committed) -> dict[str, object]:
    """What a request is answered: its number, when that was, and what became of it."""
    assert done.entry is not None
    return {
        "entry": done.entry.id.hex(),
        "commit_number": done.number,
        "time": rfc3339(done.time_ms),
        "kind": done.entry.header.kind,
        "outcome": {
            "accepted": done.outcome.accepted,
            "reason": done.outcome.reason,
            "detail": dict(done.outcome.detail),
        },
    }


def _digest(command: OrderEntry) -> bytes:
    return sha256(command.kind.encode() + b"\0" + encode(command.body))
