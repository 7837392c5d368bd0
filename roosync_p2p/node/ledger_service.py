"""The commit log for users: what it holds, what waits for a place in it, who decides (docs/protocol/ordering.md).

:meth:`LedgerService.current` is the door of every read that has to be current; what claims and decisions ask for goes
through :class:`~roosync_p2p.node.orders.Orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.records import decode
from roosync_p2p.core import view
from roosync_p2p.core.commands import AcceptClock, HandOver, OfferLost, ReadLedger, Recover, Revoke, SeeLost
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.ports import Reader
from roosync_p2p.core.rotations import MEMBER_ROTATE, rotate_body
from roosync_p2p.core.rows import CommitRow, EntryRow
from roosync_p2p.core.settling import settlement
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.errors import InputFault, PeerFault
from roosync_p2p.ids import CommitNumber, EntryId, MachineId
from roosync_p2p.ledger.bodies import (
    Carrier,
    ClaimAcquire,
    MemberLeave,
    MemberRetire,
    MemberRotate,
    OrderedBody,
    RequestWithdraw,
)
from roosync_p2p.ledger.fleet import preferred_voters, voters_of
from roosync_p2p.ledger.register import Register, register_of
from roosync_p2p.ledger.views import register_view
from roosync_p2p.node.encoded import decoded
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.ledger_requests import (
    CancelAsked,
    LeaveAsked,
    LogAsked,
    RecoverAsked,
    RetireAsked,
    RevokeAsked,
    SeeLostAsked,
    SettleAsked,
    StatementAsked,
    TimedAsked,
)
from roosync_p2p.node.orders import Orders, outcome_of
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.trust.roles import ISSUER
from roosync_p2p.trust.rotations import verify_rotation
from roosync_p2p.trust.statements import MEMBER_REMOVE

__all__ = ["LedgerService"]

T = TypeVar("T")

CARRIED: Final = frozenset(
    {"person.add", "person.rotate", "person.remove", "member.roles", MEMBER_REMOVE, "time.reset"}
)
ID_CHARS_MIN: Final = 8  # of a shortened id: 32 bits, among some thousands


class LedgerService:
    """Reads the log, and asks for what concerns the fleet itself."""

    def __init__(
        self,
        performer: Performer,
        reader: Reader,
        events: EventLog,
        orders: Orders,
        around: Surroundings,
        sessions: Sessions,
    ) -> None:
        self._performer = performer
        self._sessions = sessions
        self._reader = reader
        self._events = events
        self._orders = orders
        self._around = around

    @property
    def _core(self) -> NodeCore:
        return self._performer.core

    # --- how current an answer is ---------------------------------------------------------------------------------

    async def current(self) -> dict[str, Any]:
        """Waits until everything decided before now is applied here, 300 ms at most: ``as_of`` and ``stale``."""
        return await self._performer.request(ReadLedger(timeout_s=limits.READ_INDEX_WAIT_S))

    def freshness(self) -> dict[str, Any]:
        """The same for reads that ask nobody: stale if somebody was heard to be further, or nobody leads."""
        core = self._core
        core.desk.now = self._around.now()
        applier = core.commit.applier
        stale = view.heard_further(core) or applier.behind or view.leader(core) is None
        return {"as_of": applier.number, "stale": stale}

    # --- the log --------------------------------------------------------------------------------------------------

    async def log(self, asked: LogAsked) -> dict[str, Any]:
        """A stretch of the log; an empty one waits for an entry up to ``wait_s``."""
        seen = self._events.newest
        first = asked.first or max(1, self._core.commit.applier.number - asked.limit + 1)
        rows = await self._commits(first, asked.limit)
        with anyio.move_on_after(asked.wait_s):
            while not rows and asked.wait_s > 0:
                await self._events.beyond(seen)
                seen = self._events.newest
                rows = await self._commits(first, asked.limit)
        return {"size": self._core.commit.applier.number, "entries": [_shown(row) for row in rows]}

    async def _commits(self, first: int, count: int) -> list[CommitRow]:
        return await self._store(lambda: self._reader.commits(CommitNumber(first), count))

    # --- what waits -----------------------------------------------------------------------------------------------

    async def pending(self) -> dict[str, Any]:
        """What this machine wrote and is not ordered yet."""
        rows = await self.unordered()
        text, details = self._core.commit.waits_for() if rows else (None, {})
        return {
            "pending": [_waiting(row) for row in rows],
            "waits_for": text,
            "details": details,
            **self.freshness(),
        }

    async def request(self, entry: str) -> dict[str, Any]:
        """What became of one request of this machine, by its id or the beginning of it."""
        row = await self._waiting_request(entry)
        if row is not None:
            return {**_waiting(row), "waits_for": self._core.commit.waits_for()[0]}
        commit = await self._ordered_request(entry)
        again = self._core.commit.again
        if commit.entry is not None and again.now(commit.entry) != commit.entry:  # an epoch overtook it
            return await self.request(again.now(commit.entry).hex())
        if commit.entry is not None and again.due(commit.entry):
            return {**_pending(commit.entry, commit.kind, None), "waits_for": self._core.commit.waits_for()[0]}
        outcome = outcome_of(commit)["outcome"]
        return {
            "id": None if commit.entry is None else commit.entry.hex(),
            "kind": commit.kind,
            "state": "decided",
            "asked_at": None,
            "waits_for": None,
            "commit_number": commit.number,
            "outcome": outcome,
        }

    async def is_there(self, entry: str) -> bool:
        """Whether an id, or at least 8 digits of one, names a request that is known here."""
        try:
            await self.request(entry)
        except InputFault:
            return False
        return True

    async def cancel(self, entry: str, asked: CancelAsked) -> dict[str, Any]:
        """Takes a request back; refused where it was decided already, and cannot be.

        A claim that it was granted goes with it, so what an open session asked for, only that session takes back.

        Raises:
            InputFault: ``another_session``, ``too_late``, ``no_such_request``.
        """
        row = await self._waiting_request(entry)
        found = row.id if row is not None else (await self._ordered_request(entry)).entry
        assert found is not None
        claim = await self._claimed(found)
        if claim is not None and self._sessions.is_open(claim.session):
            mine = None if asked.secret is None else await self._sessions.known(asked.secret)
            if mine != claim.session:
                raise InputFault(
                    f"{claim.name} was asked for in a session of its own, and only there it is taken back; "
                    "nothing was changed",
                    code="another_session",
                    remedy="set ROOSYNC_SESSION to the secret of that session",
                    details={"name": claim.name, "session": claim.session},
                )
        name = "" if claim is None else claim.name
        outcome = await self._orders.order("request.withdraw", RequestWithdraw(entry=found, name=name), asked)
        return outcome.shown()

    async def _claimed(self, entry: EntryId) -> ClaimAcquire | None:
        """The claim that an entry asks for; None if it asks for something else."""
        found = await self._store(lambda: self._reader.ordered_entries([entry]))
        try:
            return decode(found[entry][1], ClaimAcquire) if entry in found else None
        except PeerFault:
            return None

    async def unordered(self) -> list[EntryRow]:
        """The entries of this machine's ledger chain behind its cursor, which is durable as they are."""
        core = self._core
        place = core.commit.durable.own
        incarnation = core.authorship.incarnation
        first = place[1] + 1 if place[0] == incarnation else 1
        return await self._store(
            lambda: self._reader.entries(
                core.me,
                incarnation,
                LEDGER,
                first,
                count_max=limits.LOG_PAGE_MAX,
                bytes_max=limits.API_ANSWER_BYTES_MAX,
            )
        )

    async def _waiting_request(self, entry: str) -> EntryRow | None:
        beginning = _beginning(entry)
        return next((row for row in await self.unordered() if row.id.hex().startswith(beginning)), None)

    async def _ordered_request(self, entry: str) -> CommitRow:
        """The commit of an entry.

        Raises:
            InputFault: ``no_such_request``.
        """
        beginning = _beginning(entry)
        if len(beginning) == 64:
            found = await self._store(lambda: self._reader.commit_of(EntryId(bytes.fromhex(beginning))))
            rows = [] if found is None else [found]
        else:
            first = max(1, self._core.commit.applier.number - limits.ORDERED_READ_LOOKBACK + 1)
            newest = await self._commits(first, limits.ORDERED_READ_LOOKBACK)
            rows = [row for row in newest if row.entry is not None and row.entry.hex().startswith(beginning)]
        if not rows:
            raise InputFault(
                f"no request {entry[:70]} is known here", code="no_such_request", remedy="roosync pending; roosync log"
            )
        return rows[-1]

    # --- who decides ----------------------------------------------------------------------------------------------

    async def voters(self) -> dict[str, Any]:
        """Who votes, and what a recovery has to name."""
        core = self._core
        order, applier = core.commit.order, core.commit.applier
        core.desk.now = self._around.now()
        voters = voters_of(core.commit.state)

        def state(machine: str) -> str:
            return core.presence.liveness.verdict(MachineId(machine), core.desk.now).state.value

        learners = sorted({*core.commit.seats.known.register.acting}.difference(machine for machine, _ in voters))
        return {
            "voters": [{"machine": name, "store": store.hex(), "state": state(name)} for name, store in voters],
            "learners": [{"machine": name, "state": state(name)} for name in learners],
            "preferred": list(preferred_voters(core.commit.state)),
            "leader": view.leader(core),
            "term": order.hard.term,
            "epoch": order.epoch,
            "size": applier.number,
            "root": applier.root.hex(),
            "store": None if order.me is None else order.me.store.hex(),
            **self.freshness(),
        }

    async def register(self) -> dict[str, Any]:
        """Members and persons."""
        return {**register_view(self._core.commit.state, self._core.desk.identity.root), **self.freshness()}

    async def accept_clock(self) -> dict[str, Any]:
        """A person vouches for this computer's clock."""
        return await self._performer.request(AcceptClock())

    # --- members --------------------------------------------------------------------------------------------------

    async def carry(self, asked: StatementAsked) -> dict[str, Any]:
        """Writes an entry that carries a statement of the root."""
        statement = decoded(asked.statement, what="the statement", code="bad_statement")
        body: OrderedBody = Carrier(statement=statement)
        if asked.kind == MEMBER_ROTATE:
            body = self._rotate_body(statement)
        elif asked.kind not in CARRIED:
            carried = ", ".join(sorted({*CARRIED, MEMBER_ROTATE}))
            raise InputFault(f"{asked.kind} is not carried by hand", code="bad_kind", remedy=carried)
        return (await self._orders.order(asked.kind, body, asked)).shown()

    async def retire(self, asked: RetireAsked) -> dict[str, Any]:
        """An issuer lets a machine go."""
        body = MemberRetire(machine=asked.machine.lower(), reason=asked.reason)
        return (await self._orders.order("member.retire", body, asked)).shown()

    async def revoke(self, asked: RevokeAsked) -> dict[str, Any]:
        """Hears a revocation that somebody signed beside the node."""
        statement = decoded(asked.statement, what="the statement", code="bad_statement")
        return await self._performer.request(Revoke(statement=statement))

    async def key_lost(self, asked: RevokeAsked) -> dict[str, Any]:
        """Hears the root's word that a key was lost, which somebody signed beside the node."""
        statement = decoded(asked.statement, what="the statement", code="bad_statement")
        return await self._performer.request(OfferLost(statement=statement))

    def _rotate_body(self, statement: bytes) -> MemberRotate:
        try:
            verify_rotation(statement, self._core.directory)
            return rotate_body(statement)
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy, details=fault.details) from fault

    async def settle(self, asked: SettleAsked) -> dict[str, Any]:
        """An issuer says which of the two entries that prove a fork counts.

        Raises:
            InputFault: ``no_such_fork``: this node has no such evidence. ``already_ordered``: the other entry, or one
                on its branch, has a commit number.
        """
        machine = MachineId(asked.machine.lower())
        branches = self._core.forks.branches(machine)
        keep = next((branch for branch in branches if branch.hex() == asked.keep), None)
        if keep is None:
            known = sorted(branch.hex() for branch in branches)
            raise InputFault(
                f"no fork of {asked.machine} with the entry {asked.keep[:16]}… is known here; nothing was changed",
                code="no_such_fork",
                remedy="name one of these: " + ", ".join(known) if known else "see `roosync status`",
                details={"branches": known},
            )
        ordered = await self._store(lambda: self._reader.commit_of(keep)) is not None
        body = settlement(self._core, branches[keep], keep, ordered=ordered)
        return (await self._orders.order("member.settle", body, asked)).shown()

    async def leave(self, asked: LeaveAsked) -> dict[str, Any]:
        """This machine leaves: its vote goes to others, its membership ends, its node says farewell and stops.

        Raises:
            InputFault: ``last_member``, ``last_issuer``, ``last_approver``: what the fleet would lack;
                ``holds_only_vote``: nobody is there to take the vote. Nothing was changed.
        """
        core = self._core
        register = register_of(core.commit.state, core.desk.identity.root)
        if register.acting == (core.me,):
            raise InputFault(
                f"{core.me} is the fleet's only machine; nothing was changed",
                code="last_member",
                remedy="stop it with `roosync down` and remove its home: then the fleet is gone",
            )
        if not asked.force:
            _require_others(register, core.me)
        await self._hand_over(asked)
        outcome = await self._orders.order("member.leave", MemberLeave(reason=asked.reason), asked)
        self._around.ask_to_stop("roosync leave")
        return outcome.shown()

    async def _hand_over(self, asked: TimedAsked) -> None:
        """The vote goes to somebody else first, while this machine may still speak for itself."""
        me = self._core.me
        done = await self._performer.request(
            HandOver(timeout_s=asked.timeout_s), timeout_s=asked.timeout_s + limits.REQUEST_TIMEOUT_S
        )
        if done["voters"] == [me]:
            raise InputFault(
                f"{me} holds the only vote, and no other machine is there to take it; nothing was changed",
                code="holds_only_vote",
                remedy="start another machine, and try again",
                details={"state": done["state"]},
            )

    async def recover(self, asked: RecoverAsked) -> dict[str, Any]:
        """Begins a new epoch by the root's statement."""
        return await self._performer.request(
            Recover(statement=decoded(asked.statement, what="the statement", code="bad_statement")),
            timeout_s=asked.timeout_s + limits.REQUEST_TIMEOUT_S,
        )

    async def see_lost(self, asked: SeeLostAsked) -> dict[str, Any]:
        """Somebody has looked at what an epoch does not have."""
        return await self._performer.request(SeeLost(epoch=asked.epoch))

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _store(self, read: Callable[[], T]) -> T:
        await self._performer.flushed()
        return await anyio.to_thread.run_sync(read)


def _require_others(register: Register, me: MachineId) -> None:
    """Returns if somebody else can admit machines, and somebody else can approve.

    Raises:
        InputFault: ``last_issuer``, ``last_approver``.
    """
    issuers = [machine for machine in register.acting if register.has_role(machine, ISSUER)]
    lacks = "issuer" if issuers == [me] else "approver" if register.approvers == (me,) and not register.persons else ""
    if lacks:
        raise InputFault(
            f"{me} is the fleet's only {lacks}: without it "
            + ("nobody can be admitted" if lacks == "issuer" else "nothing can be approved")
            + "; nothing was changed",
            code=f"last_{lacks}",
            remedy="let another machine have that role first, or leave all the same with --force",
        )


def _shown(row: CommitRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "time": rfc3339(row.time_ms),
        "kind": row.kind,
        "author": row.author,
        "id": None if row.entry is None else row.entry.hex(),
        "outcome": {"accepted": row.accepted, "reason": row.reason},
    }


def _waiting(row: EntryRow) -> dict[str, Any]:
    return _pending(row.id, row.kind, rfc3339(row.received_ms))


def _pending(entry: EntryId, kind: str, asked_at: str | None) -> dict[str, Any]:
    return {
        "id": entry.hex(),
        "kind": kind,
        "state": "pending",
        "asked_at": asked_at,
        "commit_number": None,
        "outcome": None,
    }


def _beginning(entry: str) -> str:
    """An id, or enough of it.

    Raises:
        InputFault: ``bad_request_id``.
    """
    text = entry.strip().lower()
    if not ID_CHARS_MIN <= len(text) <= 64 or set(text) - set("0123456789abcdef"):
        raise InputFault(
            f"{entry[:70]!r} is no request id: at least its first {ID_CHARS_MIN} hexadecimal digits",
            code="bad_request_id",
            remedy="roosync pending",
        )
    return text
