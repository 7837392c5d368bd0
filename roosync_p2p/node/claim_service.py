"""Claims for users: who holds a name, and standing in line for it (docs/protocol/ledger.md §7).

The ledger decides; here is what a caller wants beyond one entry: to wait until the name is free, to be told when it is
not, and to have everything released when its session ends.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any, Final

import anyio

from roosync_p2p.clock import rfc3339
from roosync_p2p.errors import InputFault, RoosyncError, UndecidedError
from roosync_p2p.ledger.bodies import ClaimAcquire, ClaimRelease, ClaimRenew, ClaimSteal
from roosync_p2p.ledger.claims import ClaimState, Waiter, claim_of, held, shown_claim
from roosync_p2p.ledger.state import State
from roosync_p2p.ledger.stored import read
from roosync_p2p.ledger.views import claim_view, claims_view
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.ledger_requests import (
    ClaimAsked,
    ClaimCheckAsked,
    CloseSessionAsked,
    OpenSessionAsked,
    ReleaseAsked,
    RenewAsked,
    RenewSessionAsked,
    StealAsked,
)
from roosync_p2p.node.ledger_service import LedgerService
from roosync_p2p.node.orders import Circumstances, OrderAsked, Orders, Outcome
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.refusals import refusal
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.surroundings import Surroundings

__all__ = ["ClaimService"]

_LOG: Final = logging.getLogger(__name__)
_ACQUIRE: Final = "claim.acquire"
_PAST_EXPIRY_S: Final = 0.05  # the leader's stamp of a commit then is past it too
_NUDGED_AGAIN_S: Final = 1.0  # unless its clock is behind this one

Claim = dict[str, Any]


class ClaimService:
    """Takes, keeps and gives back claims in the name of sessions."""

    def __init__(
        self,
        performer: Performer,
        events: EventLog,
        ledger: LedgerService,
        orders: Orders,
        sessions: Sessions,
        around: Surroundings,
    ) -> None:
        self._performer = performer
        self._events = events
        self._ledger = ledger
        self._orders = orders
        self._sessions = sessions
        self._around = around

    # --- sessions -------------------------------------------------------------------------------------------------

    async def open_session(self, asked: OpenSessionAsked) -> dict[str, Any]:
        """A new session with its secret."""
        opened = await self._sessions.open(workspace=asked.workspace or "", client=asked.client, lease_s=asked.lease_s)
        self._events.add("session", {"machine": self._performer.core.me, "session": opened.id, "state": "opened"})
        return {"session": opened.id, "secret": opened.secret, "expires_at": rfc3339(opened.expires_ms)}

    async def close_session(self, asked: CloseSessionAsked) -> dict[str, Any]:
        """The session ends; what it holds or waits for is given back."""
        session = await self._sessions.close(asked.secret)
        self._events.add("session", {"machine": self._performer.core.me, "session": session, "state": "closed"})
        return {"session": session, "released": await self.release_all(session, asked)}

    async def renew_session(self, asked: RenewSessionAsked) -> dict[str, Any]:
        """The session's lease begins anew."""
        kept = await self._sessions.renew(asked.secret)
        return {"session": kept.id, "expires_at": rfc3339(kept.expires_ms)}

    async def release_all(self, session: str, circumstances: OrderAsked) -> list[str]:
        """Gives back what a session that is over holds or waits for; the names.

        Raises:
            UndecidedError: ``pending``: it is signed, and ordered later.
        """
        names = [name for name, claim in _claims(self._state) if self._concerns(claim, session)]
        released: list[str] = []
        undecided: list[UndecidedError] = []

        async def release(name: str) -> None:
            try:
                await self._orders.order("claim.release", ClaimRelease(name=name, session=session), circumstances)
                released.append(name)
            except InputFault as fault:  # it ran out meanwhile
                _LOG.info("the claim %s of a session that is over was not released: %s", name, fault.code)
            except UndecidedError as error:
                undecided.append(error)

        async with anyio.create_task_group() as releasing:
            for name in names:
                releasing.start_soon(release, name)
        if undecided:
            raise undecided[0]
        return sorted(released)

    # --- reading --------------------------------------------------------------------------------------------------

    async def claims(self) -> dict[str, Any]:
        """All claims that are held."""
        known = await self._ledger.current()
        return {**claims_view(self._state, time_ms=self._now_ms), **known}

    async def check(self, asked: ClaimCheckAsked) -> dict[str, Any]:
        """Whether a claim is held with that token.

        Raises:
            UndecidedError: ``not_confirmed``: it was, as far as this machine knows, and nobody confirms it now.
        """
        known = await self._ledger.current()
        claim = claim_view(self._state, asked.name, time_ms=self._now_ms)
        is_held = claim is not None and claim["token"] == asked.token
        if is_held and known["stale"]:
            text, details = self._performer.core.commit.waits_for()
            raise UndecidedError(
                f"{asked.name} was held with token {asked.token} as far as this machine knows, and that cannot be "
                f"confirmed: {text}",
                code="not_confirmed",
                remedy="ask again when a leader answers",
                details={**known, **details},
            )
        return {"name": asked.name, "token": asked.token, "held": is_held, "claim": claim, **known}

    # --- taking and giving back -----------------------------------------------------------------------------------

    async def claim(self, asked: ClaimAsked) -> Claim:
        """Takes a claim; with ``wait_s`` or ``queue`` stands in line for it.

        Raises:
            InputFault: ``claim_held``, with who, since and until when; ``claim_ended``: a retry of a request whose
                claim is over.
            UndecidedError: ``pending``; ``claim_queued``: it stands in line, and stays there.
        """
        session = await self._sessions.speaker(asked)
        outcome = await self._acquire(asked, session, asked)
        if outcome.again:
            return self._still_held(asked.name, session, outcome)
        if "queued" not in outcome.detail:
            return dict(outcome.detail)
        return await self._wait_in_line(asked, session, outcome)

    async def renew(self, asked: RenewAsked) -> Claim:
        """Holds it longer."""
        session = await self._sessions.speaker(asked)
        token = asked.token or self._own_token(asked.name, session)
        body = ClaimRenew(name=asked.name, token=token, session=session, ttl_ms=round(asked.ttl_s * 1000))
        return dict((await self._orders.order("claim.renew", body, asked)).detail)

    async def release(self, asked: ReleaseAsked) -> dict[str, Any]:
        """Holds it no more, or leaves the line."""
        session = await self._sessions.speaker(asked)
        body = ClaimRelease(name=asked.name, token=asked.token, session=session)
        return dict((await self._orders.order("claim.release", body, asked)).detail)

    async def steal(self, asked: StealAsked) -> Claim:
        """Takes it from whoever holds it."""
        session = await self._sessions.speaker(asked)
        body = ClaimSteal(
            name=asked.name,
            ttl_ms=round(asked.ttl_s * 1000),
            session=session,
            workspace=asked.workspace or "",
            note=asked.note,
            reason=asked.reason,
        )
        return dict((await self._orders.order("claim.steal", body, asked, not_after_s=asked.timeout_s)).detail)

    # --- in line --------------------------------------------------------------------------------------------------

    async def _acquire(self, asked: ClaimAsked, session: str, circumstances: OrderAsked) -> Outcome:
        wait_until_ms = None if asked.queue or not asked.wait_s else self._now_ms + round(asked.wait_s * 1000)
        body = ClaimAcquire(
            name=asked.name,
            ttl_ms=round(asked.ttl_s * 1000),
            session=session,
            workspace=asked.workspace or "",
            note=asked.note,
            queue=asked.queue or asked.wait_s > 0,
            wait_until_ms=wait_until_ms,
        )
        not_after_s = None if asked.queue else asked.timeout_s
        return await self._orders.order(
            _ACQUIRE, body, circumstances, not_after_s=not_after_s, derived=("wait_until_ms",)
        )

    def _still_held(self, name: str, session: str, outcome: Outcome) -> Claim:
        """The claim of a request that is made again, as it is now."""
        claim = held(self._state, name, self._now_ms)
        if claim is not None and claim.is_of(self._performer.core.me, session):
            return shown_claim(name, claim)
        if claim is not None and self._waits(claim, session):
            raise self._queued(name, claim, session)
        raise InputFault(
            f"{name} was claimed by this very request at commit {outcome.number}, and the claim is over",
            code="claim_ended",
            remedy="a new claim takes a new idempotency key",
            details={"name": name, "commit_number": outcome.number, "entry": outcome.entry.hex()},
        )

    async def _wait_in_line(self, asked: ClaimAsked, session: str, outcome: Outcome) -> Claim:
        claim: ClaimState | None = None
        stays = asked.queue
        try:
            with anyio.move_on_after(asked.wait_s):
                claim = await self._granted(asked, session)
            stays = True  # from here on it is left in good order
        finally:
            if not stays:  # the caller hung up
                self._orders.go_on(functools.partial(self._leave_line, asked.name, session))
        if claim is not None:
            return shown_claim(asked.name, claim)
        now = claim_of(self._state, asked.name)
        if asked.queue and now is not None and self._waits(now, session):
            raise self._queued(asked.name, now, session)
        await self._leave_line(asked.name, session)
        shown = outcome.detail if now is None else shown_claim(asked.name, now)
        raise refusal("claim_held", shown, kind=_ACQUIRE, facts={"commit_number": outcome.number})

    async def _granted(self, asked: ClaimAsked, session: str) -> ClaimState | None:
        """Returns when the session holds the claim, or waits for it no more."""
        least_s = _PAST_EXPIRY_S
        while True:
            seen = self._events.newest
            claim = claim_of(self._state, asked.name)
            if claim is None or not self._concerns(claim, session):
                return None
            if not self._waits(claim, session):
                return claim
            left_s = (claim.expires_ms - self._now_ms) / 1000 + _PAST_EXPIRY_S
            with anyio.move_on_after(max(left_s, least_s)) as until_expiry:
                await self._events.beyond(seen)
            if until_expiry.cancelled_caught:
                # The ledger has no timer: a claim passes on at the next commit after its expiry, so one is made.
                least_s = _NUDGED_AGAIN_S
                if not await self._ask_again(asked, session):
                    return None

    async def _ask_again(self, asked: ClaimAsked, session: str) -> bool:
        """The same request once more, which keeps its place in line; False if the ledger refuses it."""
        try:
            await self._acquire(asked, session, Circumstances(timeout_s=asked.timeout_s, fence=asked.fence))
        except UndecidedError:
            return True  # nobody leads: it goes on waiting
        except InputFault:
            return False
        return True

    async def _leave_line(self, name: str, session: str) -> None:
        try:
            await self._orders.order("claim.release", ClaimRelease(name=name, session=session), Circumstances())
        except RoosyncError as error:
            _LOG.info("the line for %s was not left: %s", name, error.message)

    def _queued(self, name: str, claim: ClaimState, session: str) -> UndecidedError:
        place = 1 + next(at for at, waiter in enumerate(claim.queue) if self._is_mine(waiter, session))
        shown = shown_claim(name, claim)
        return UndecidedError(
            f"{name} is held by {claim.machine} until {shown['expires_at']}; this session is number {place} in line",
            code="claim_queued",
            remedy="the same command asks again, with --wait SECONDS it waits; `roosync claim release` leaves the line",
            details={**shown, "queued": place},
        )

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return self._performer.core.commit.state

    @property
    def _now_ms(self) -> int:
        """Commit time, as this node knows it at this moment."""
        core = self._performer.core
        core.desk.now = self._around.now()
        return core.commit.clock.now_ms()

    def _own_token(self, name: str, session: str) -> int:
        """Of the session's claim. Whether its time is over is for the ledger to say, by commit time."""
        claim = claim_of(self._state, name)
        if claim is None or not claim.is_of(self._performer.core.me, session):
            detail = {"name": name} if claim is None else shown_claim(name, claim)
            raise refusal("not_holder", detail, kind="claim.renew", facts={})
        return claim.token

    def _waits(self, claim: ClaimState, session: str) -> bool:
        return any(self._is_mine(waiter, session) for waiter in claim.queue)

    def _concerns(self, claim: ClaimState, session: str) -> bool:
        return claim.is_of(self._performer.core.me, session) or self._waits(claim, session)

    def _is_mine(self, waiter: Waiter, session: str) -> bool:
        return (waiter.machine, waiter.session) == (self._performer.core.me, session)


def _claims(state: State) -> Iterator[tuple[str, ClaimState]]:
    for key, value in state.table("claim"):
        yield key.partition("/")[2], read(value, ClaimState)
