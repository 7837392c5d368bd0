"""Claims: one holder a name, agreed (docs/protocol/ledger.md §7).

The commit number of the acquisition is the fencing token. Expiry is judged by commit time: at the moment of expiry
the claim is no longer held. The holder is a session of a machine; a body names it, and the author's own node has seen
to it that only who knows the session's secret can speak for it.

A claim that nobody waits for stays in the state when it expires, until it is taken again or swept; one with others in
line passes to the first of them, at the first commit after the expiry.
"""

from __future__ import annotations

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record
from roosync_p2p.ledger.bodies import ClaimAcquire, ClaimRelease, ClaimRenew, ClaimSteal, Fence
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.due import plan, unplan
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.shown import shown_time
from roosync_p2p.ledger.state import Reader
from roosync_p2p.ledger.stored import read

__all__ = [
    "ClaimState",
    "Detail",
    "Waiter",
    "acquire",
    "check_fence",
    "claim_key",
    "claim_of",
    "expire",
    "free_all_of",
    "held",
    "release",
    "renew",
    "shorten_all",
    "shown_claim",
    "steal",
    "withdraw_claim",
]

Detail = dict[str, object]

_TABLE = "claim"


class Waiter(Record, frozen=True, kw_only=True):
    """A session in line, with what it asked for."""

    machine: str
    session: str
    workspace: str
    note: str
    ttl_ms: int
    entry: bytes
    since_ms: int
    until_ms: int | None = None


class ClaimState(Record, frozen=True, kw_only=True):
    """A claim and who waits for it.

    Attributes:
        token: commit number of the acquisition.
        entry: id of the entry that asked for it.
    """

    machine: str
    session: str
    workspace: str
    note: str
    token: int
    ttl_ms: int
    entry: bytes
    acquired_ms: int
    expires_ms: int
    queue: tuple[Waiter, ...] = ()

    def is_of(self, machine: str, session: str) -> bool:
        """Whether that session is the holder."""
        return (self.machine, self.session) == (machine, session)


def claim_key(name: str) -> str:
    """State key of a claim."""
    return f"{_TABLE}/{name}"


def claim_of(reader: Reader, name: str) -> ClaimState | None:
    """A claim as it stands in the state; it may have expired."""
    data = reader.get(claim_key(name))
    return None if data is None else read(data, ClaimState)


def held(reader: Reader, name: str, time_ms: int) -> ClaimState | None:
    """A claim that is held at that commit time."""
    claim = claim_of(reader, name)
    return claim if claim is not None and time_ms < claim.expires_ms else None


def check_fence(draft: Draft, fence: Fence) -> None:
    """Lets an entry pass whose claim is held with that token.

    Raises:
        Refused: ``fenced``.
    """
    claim = held(draft, fence.name, draft.time_ms)
    if claim is None or claim.token != fence.token:
        raise Refused("fenced", name=fence.name, token=fence.token)


def acquire(draft: Draft, body: ClaimAcquire) -> Detail:
    """Takes a free claim, prolongs an own one, or stands in line."""
    asks = _waiter(draft, body)
    claim = held(draft, body.name, draft.time_ms)
    if claim is None:
        if draft.get(claim_key(body.name)) is None:
            _make_room(draft)
        return shown_claim(body.name, _grant(draft, body.name, asks))
    if claim.is_of(draft.author, body.session):  # a second request of the same session is the same request
        return shown_claim(body.name, _keep(draft, body.name, _prolonged(draft, claim, body.ttl_ms)))
    if not body.queue:
        raise Refused("claim_held", **shown_claim(body.name, claim))
    return _stand_in_line(draft, body.name, claim, asks)


def renew(draft: Draft, body: ClaimRenew) -> Detail:
    """Prolongs a claim that is still held."""
    claim = _own(draft, body.name, body.session, body.token)
    return shown_claim(body.name, _keep(draft, body.name, _prolonged(draft, claim, body.ttl_ms)))


def release(draft: Draft, body: ClaimRelease) -> Detail:
    """Frees a claim, or leaves the line."""
    claim = claim_of(draft, body.name)
    if claim is not None and _leave_line(draft, body.name, claim, draft.author, body.session, body.entry):
        return {"name": body.name}
    claim = _own(draft, body.name, body.session, body.token)
    if body.entry and claim.entry != body.entry:
        raise Refused("not_holder", **shown_claim(body.name, claim))
    _pass_on(draft, body.name, claim, "claim.released")
    return {"name": body.name, "token": claim.token}


def steal(draft: Draft, body: ClaimSteal) -> Detail:
    """Takes a claim from its holder, who is told. Who waits goes on waiting."""
    robbed = held(draft, body.name, draft.time_ms)
    if robbed is None and draft.get(claim_key(body.name)) is None:
        _make_room(draft)
    claim = _grant(draft, body.name, _waiter(draft, body), queue=() if robbed is None else robbed.queue)
    detail = shown_claim(body.name, claim)
    if robbed is not None:
        draft.tell("claim.stolen", robbed.machine, reason=body.reason, session=robbed.session, **detail)
    return detail


def withdraw_claim(draft: Draft, name: str, asked: bytes) -> bool:
    """Takes back a request for a claim; False if that entry neither holds it nor waits for it."""
    claim = claim_of(draft, name)
    if claim is None:
        return False
    for waiter in claim.queue:
        if waiter.machine == draft.author and waiter.entry == asked:
            return _leave_line(draft, name, claim, draft.author, waiter.session, asked)
    if claim.machine != draft.author or claim.entry != asked or claim.expires_ms <= draft.time_ms:
        return False
    _pass_on(draft, name, claim, "claim.released")
    return True


def expire(draft: Draft, name: str) -> None:
    """A claim with others in line has run out: it passes on. Called when it is due."""
    claim = claim_of(draft, name)
    if claim is not None and claim.expires_ms <= draft.time_ms:
        _pass_on(draft, name, claim, "claim.expired")


def free_all_of(draft: Draft, machine: str) -> None:
    """A machine is out: what it holds is freed, and it waits for nothing."""
    for key, value in list(draft.table(_TABLE)):
        name, claim = key.partition("/")[2], read(value, ClaimState)
        queue = tuple(waiter for waiter in claim.queue if waiter.machine != machine)
        if len(queue) != len(claim.queue):
            claim = _keep(draft, name, msgspec.structs.replace(claim, queue=queue))
        if claim.machine == machine:
            _pass_on(draft, name, claim, "claim.freed")


def shorten_all(draft: Draft, time_ms: int) -> None:
    """Commit time goes back: no claim ends later than if it had been asked for at the new time."""
    for key, value in list(draft.table(_TABLE)):
        claim = read(value, ClaimState)
        end = min(claim.expires_ms, time_ms + claim.ttl_ms)
        _keep(draft, key.partition("/")[2], msgspec.structs.replace(claim, expires_ms=end))


def shown_claim(name: str, claim: ClaimState) -> Detail:
    """A claim as JSON: what ``roosync claim`` prints."""
    return {
        "name": name,
        "token": claim.token,
        "holder": {"machine": claim.machine, "workspace": claim.workspace, "session": claim.session},
        "acquired_at": shown_time(claim.acquired_ms),
        "expires_at": shown_time(claim.expires_ms),
        "note": claim.note,
    }


# --- steps --------------------------------------------------------------------------------------------------------


def _waiter(draft: Draft, body: ClaimAcquire | ClaimSteal) -> Waiter:
    return Waiter(
        machine=draft.author,
        session=body.session,
        workspace=body.workspace,
        note=body.note,
        ttl_ms=body.ttl_ms,
        entry=draft.entry.id,
        since_ms=draft.time_ms,
        until_ms=body.wait_until_ms if isinstance(body, ClaimAcquire) else None,
    )


def _own(draft: Draft, name: str, session: str, token: int) -> ClaimState:
    """The claim, if it is this session's with this token (or any, for 0) and has not expired."""
    claim = claim_of(draft, name)
    if claim is None:
        raise Refused("not_holder", name=name)
    if not claim.is_of(draft.author, session) or token not in (0, claim.token):
        raise Refused("not_holder", **shown_claim(name, claim))
    if claim.expires_ms <= draft.time_ms:
        raise Refused("expired", **shown_claim(name, claim))
    return claim


def _grant(draft: Draft, name: str, asks: Waiter, *, queue: tuple[Waiter, ...] = ()) -> ClaimState:
    claim = ClaimState(
        machine=asks.machine,
        session=asks.session,
        workspace=asks.workspace,
        note=asks.note,
        token=draft.number,
        ttl_ms=asks.ttl_ms,
        entry=asks.entry,
        acquired_ms=draft.time_ms,
        expires_ms=_end(draft, asks.ttl_ms),
        queue=tuple(w for w in queue if (w.machine, w.session) != (asks.machine, asks.session)),
    )
    return _keep(draft, name, claim)


def _prolonged(draft: Draft, claim: ClaimState, ttl_ms: int) -> ClaimState:
    return msgspec.structs.replace(claim, ttl_ms=ttl_ms, expires_ms=_end(draft, ttl_ms))


def _end(draft: Draft, ttl_ms: int) -> int:
    return min(draft.time_ms + ttl_ms, limits.WALL_MS_MAX)


def _keep(draft: Draft, name: str, claim: ClaimState) -> ClaimState:
    """Writes a claim, and plans its expiry where somebody waits for it."""
    before = claim_of(draft, name)
    draft.put(claim_key(name), claim)
    if claim.queue:
        plan(draft, claim.expires_ms, _TABLE, name)
    elif before is not None and before.queue:
        unplan(draft, _TABLE, name)
    return claim


def _stand_in_line(draft: Draft, name: str, claim: ClaimState, asks: Waiter) -> Detail:
    queue = [w for w in claim.queue if (w.machine, w.session) != (asks.machine, asks.session)]
    if len(queue) == len(claim.queue):
        if len(queue) >= limits.CLAIM_QUEUE_MAX:
            raise Refused("queue_full", **shown_claim(name, claim))
        queue.append(asks)
    else:  # it waits already, and keeps its place
        place = [(w.machine, w.session) for w in claim.queue].index((asks.machine, asks.session))
        queue.insert(place, asks)
    _keep(draft, name, msgspec.structs.replace(claim, queue=tuple(queue)))
    return {**shown_claim(name, claim), "queued": 1 + queue.index(asks)}


def _leave_line(draft: Draft, name: str, claim: ClaimState, machine: str, session: str, asked: bytes) -> bool:
    queue = tuple(
        w for w in claim.queue if (w.machine, w.session) != (machine, session) or (asked and w.entry != asked)
    )
    if len(queue) == len(claim.queue):
        return False
    _keep(draft, name, msgspec.structs.replace(claim, queue=queue))
    return True


def _pass_on(draft: Draft, name: str, claim: ClaimState, why: str) -> None:
    """The claim is held no more: the first in line who still waits gets it, or it is gone."""
    waiting = [w for w in claim.queue if w.until_ms is None or draft.time_ms <= w.until_ms]
    draft.tell(why, claim.machine, name=name, token=claim.token, session=claim.session)
    if not waiting:
        draft.delete(claim_key(name))
        unplan(draft, _TABLE, name)
        return
    granted = _grant(draft, name, waiting[0], queue=tuple(waiting[1:]))
    if not granted.queue:
        unplan(draft, _TABLE, name)
    draft.tell("claim.granted", granted.machine, **shown_claim(name, granted))


def _make_room(draft: Draft) -> None:
    """Sweeps one part of the table, another for each number, so that what expired does not pile up.

    Raises:
        Refused: ``too_many_claims``.
    """
    for key, value in draft.state.part(_TABLE, draft.number):
        claim = read(value, ClaimState)
        if claim.expires_ms <= draft.time_ms and not claim.queue and key not in draft.changes:
            draft.delete(key)
    if draft.state.count(_TABLE) >= limits.CLAIMS_MAX:
        raise Refused("too_many_claims")
