"""The fleet itself: epochs, commit time, voters, rules (docs/protocol/ledger.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from roosync_p2p.codec.records import Record
from roosync_p2p.ids import MachineId, StoreId
from roosync_p2p.ledger.bodies import Carrier, RulesSupport
from roosync_p2p.ledger.claims import Detail, shorten_all
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.membership import root_statement
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.register import register_of_draft
from roosync_p2p.ledger.state import Reader
from roosync_p2p.ledger.stored import read
from roosync_p2p.trust.statements import Recovery, TimeReset

__all__ = [
    "EpochState",
    "VotersState",
    "active_rules",
    "epoch_of",
    "note_voters",
    "prefer_voters",
    "preferred_voters",
    "recover",
    "require_support",
    "reset_of",
    "reset_time",
    "support",
    "supported_by",
    "use_rules",
    "voters_of",
]

_EPOCH: Final = "epoch"
_BEGAN: Final = "began"
_VOTERS: Final = "voters"
_PREFERRED: Final = "preferred"
_CLOCK: Final = "clock"


class EpochState(Record, frozen=True, kw_only=True):
    """How the commit log began anew, by the root's statement. There is none before the first recovery."""

    epoch: int
    machine: str
    store: bytes
    size: int
    root_hash: bytes
    dead: tuple[str, ...]
    number: int


class BeganState(Record, frozen=True, kw_only=True):
    """The first commit of an epoch: the configuration with its one voter. There is none before the first recovery."""

    epoch: int
    number: int


class VotersState(Record, frozen=True, kw_only=True):
    """Who votes, since which commit: (machine, store id), sorted."""

    seats: tuple[tuple[str, bytes], ...]
    number: int


class PreferredState(Record, frozen=True, kw_only=True):
    """Machines that should rather vote, the most wanted first."""

    machines: tuple[str, ...]
    number: int


class ClockState(Record, frozen=True, kw_only=True):
    """Commit time went back to ``time_ms`` at this number."""

    time_ms: int
    number: int


def active_rules(reader: Reader) -> int:
    """The version of the rules in force. A node that knows only older ones stops applying."""
    data = reader.get("rules")
    return 1 if data is None else read(data, int)


def epoch_of(reader: Reader) -> EpochState | None:
    """The last recovery."""
    data = reader.get(_EPOCH)
    return None if data is None else read(data, EpochState)


def reset_of(reader: Reader) -> ClockState | None:
    """The newest reset of commit time."""
    data = reader.get(_CLOCK)
    return None if data is None else read(data, ClockState)


def voters_of(reader: Reader) -> tuple[tuple[str, bytes], ...]:
    """Who votes, by the newest configuration that has a commit number."""
    data = reader.get(_VOTERS)
    return () if data is None else read(data, VotersState).seats


def note_voters(draft: Draft, voters: Sequence[tuple[MachineId, StoreId]]) -> None:
    """A configuration that consensus committed: a fact, whatever the ledger thinks of its members."""
    seats = tuple(sorted((str(machine), bytes(store)) for machine, store in voters))
    before = {machine for machine, _ in voters_of(draft)}
    if draft.epoch > _began(draft).epoch:
        draft.put(_BEGAN, BeganState(epoch=draft.epoch, number=draft.number))
    draft.put(_VOTERS, VotersState(seats=seats, number=draft.number))
    draft.tell("voters.changed", voters=[machine for machine, _ in seats], before=sorted(before))


def recover(draft: Draft, body: Carrier) -> Detail:
    """A new epoch, with one voter, on the log as it was. There is one statement an epoch.

    The base is what stands before the epoch's first commit: entries of older epochs may come before this one.
    """
    said, _ = root_statement(draft, body.statement, Recovery)
    known = epoch_of(draft)
    if said.epoch != draft.epoch or (known is not None and said.epoch <= known.epoch):
        raise Refused("wrong_epoch", epoch=said.epoch)
    began = _began(draft)
    first = began.number if began.epoch == draft.epoch else draft.number
    if said.size != first - 1:
        raise Refused("wrong_base", size=said.size)
    draft.put(
        _EPOCH,
        EpochState(
            epoch=said.epoch,
            machine=said.machine,
            store=said.store,
            size=said.size,
            root_hash=said.root_hash,
            dead=said.dead,
            number=draft.number,
        ),
    )
    if first == draft.number:  # else consensus has said who votes, and may have changed it since
        note_voters(draft, [(said.machine, StoreId(said.store))])
    draft.tell("fleet.recovered", epoch=said.epoch, voter=said.machine, dead=list(said.dead), reason=said.reason)
    return {"epoch": said.epoch, "voter": said.machine}


def _began(draft: Draft) -> BeganState:
    return draft.load(_BEGAN, BeganState) or BeganState(epoch=0, number=0)


def reset_time(draft: Draft, body: Carrier) -> Detail:
    """Commit time goes back. Whoever leads from here on stamps from that time, see the event.

    Claims end no later than if they had been asked for at the new time: otherwise what was acquired under a wrong
    clock would be held for as long as the clock was wrong.
    """
    said, _ = root_statement(draft, body.statement, TimeReset)
    draft.put(_CLOCK, ClockState(time_ms=said.time_ms, number=draft.number))
    shorten_all(draft, said.time_ms)
    draft.tell("time.reset", time_ms=said.time_ms, reason=said.reason, carried_by=draft.author)
    return {"time_ms": said.time_ms}


def support(draft: Draft, body: RulesSupport) -> Detail:
    """A machine's program knows these rules. A program that went back says so too."""
    draft.put(f"support/{draft.author}", body.version)
    return {"version": body.version}


def supported_by(reader: Reader, machine: str) -> int:
    """The newest rules that a machine's program knows, as it said itself; who never did knows the first."""
    data = reader.get(f"support/{machine}")
    return 1 if data is None else read(data, int)


def require_support(draft: Draft, version: int) -> None:
    """Passes when every voter has said that it knows this version.

    Raises:
        Refused: ``not_supported``, naming the voters; ``already_active``.
    """
    if version <= active_rules(draft):
        raise Refused("already_active", version=active_rules(draft))
    register = register_of_draft(draft)
    voters = [machine for machine, _ in voters_of(draft) if register.present(machine)]
    missing = [machine for machine in voters if supported_by(draft, machine) < version]
    if missing or not voters:
        raise Refused("not_supported", version=version, missing=missing)


def use_rules(draft: Draft, version: int) -> None:
    """From the next commit number on these rules are in force."""
    draft.put("rules", version)
    draft.tell("rules.activated", version=version)


def prefer_voters(draft: Draft, machines: tuple[str, ...]) -> None:
    """The fleet's wish, which the leader acts on when it can."""
    draft.put(_PREFERRED, PreferredState(machines=machines, number=draft.number))
    draft.tell("voters.preferred", machines=list(machines))


def preferred_voters(reader: Reader) -> tuple[str, ...]:
    """Who should rather vote, by the newest wish."""
    data = reader.get(_PREFERRED)
    return () if data is None else read(data, PreferredState).machines
