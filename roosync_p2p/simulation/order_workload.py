"""What users ask of the one order: claims that they contend for, reads that must not be stale, retries."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import OrderEntry, ReadLedger
from roosync_p2p.errors import RoosyncError, UndecidedError
from roosync_p2p.ledger.bodies import ClaimAcquire, ClaimRelease, ClaimRenew, Fence
from roosync_p2p.simulation import order_facts
from roosync_p2p.simulation.checkers.commits import Answered
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["OrderUsers"]

NAMES: Final = ("issue-1", "issue-2", "issue-3")  # few, so that they are contended for
RETRY_S: Final = 3.0
READ_S: Final = 0.3


@dataclasses.dataclass(slots=True)
class _Wish:
    """One request of one user, until it is decided or given up."""

    member: Member
    command: OrderEntry
    asked_s: float
    tries: int = 0
    answer: dict[str, object] | None = None
    given_up: bool = False

    @property
    def done(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.answer is not None or self.given_up


@dataclasses.dataclass(frozen=True, slots=True)
class _Grant:
    """A claim that a session was told it holds."""

    member: Member
    session: str
    name: str
    token: int


class OrderUsers:
    """Users of the order, at every machine."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._wishes: list[_Wish] = []
        self._grants: list[_Grant] = []

    def pending(self) -> list[str]:
        """What is not decided yet, of machines that run."""
        return [str(wish.command.idempotency_key) for wish in self._wishes if not wish.done and wish.member.running]

    def forget(self, member: Member) -> None:
        """Its disk is lost, and with it who asked there."""
        for wish in self._wishes:
            wish.given_up |= wish.member is member
        self._grants = [grant for grant in self._grants if grant.member is not member]

    def act(self) -> None:
        """One user somewhere does one thing."""
        members = self._world.fleet.running()
        if not members:
            return
        member = self._dice.choose(members)
        choice = self._dice.integer(0, 11)
        if choice <= 4:
            self._acquire(member)
        elif choice <= 7:
            self._use_grant(member)
        elif choice <= 9:
            self.read(member)
        else:
            self._repeat()

    def retry_all(self) -> None:
        """Everything undecided is asked again, now, by whoever still cares."""
        for wish in self._wishes:
            if not wish.done:
                self._ask(wish)

    def ask_besides(self, member: Member) -> None:
        """A user of any other machine that is awake wants a claim."""
        members = [other for other in self._world.fleet.running() if other is not member and not other.paused]
        if members:
            self._acquire(self._dice.choose(members))

    def ask_from(self, member: Member) -> None:
        """A user of that machine wants a claim."""
        self._acquire(member)

    # --- what they ask --------------------------------------------------------------------------------------------

    def _acquire(self, member: Member) -> None:
        body = ClaimAcquire(
            name=self._dice.choose(NAMES),
            ttl_ms=round(1000 * self._dice.choose((1.0, 5.0, 20.0, 60.0))),
            session=self._dice.choose(("s1", "s2")),
            queue=self._dice.chance(0.3),
        )
        patient = self._dice.chance(0.4)
        timeout_s = self._dice.choose((0.5, 2.0, 10.0))
        self._say(
            member,
            OrderEntry(
                kind="claim.acquire",
                body=body,
                timeout_s=timeout_s,
                not_after_s=None if patient else timeout_s,
                withdraw=not patient,
            ),
        )

    def _use_grant(self, member: Member) -> None:
        """Somebody who was granted a claim renews it, gives it back, or writes something under its fence."""
        mine = [grant for grant in self._grants if grant.member is member]
        if not mine:
            self._acquire(member)
            return
        grant = self._dice.choose(mine)
        kind = self._dice.integer(0, 2)
        if kind == 0:
            renewal = ClaimRenew(name=grant.name, token=grant.token, session=grant.session, ttl_ms=20_000)
            self._say(member, OrderEntry(kind="claim.renew", body=renewal, timeout_s=5.0))
        elif kind == 1:
            release = ClaimRelease(name=grant.name, token=grant.token, session=grant.session)
            self._say(member, OrderEntry(kind="claim.release", body=release, timeout_s=5.0))
        else:
            fence = Fence(name=grant.name, token=grant.token)
            fenced = ClaimAcquire(name=f"under-{grant.name}", ttl_ms=5_000, session=grant.session, fence=fence)
            self._say(member, OrderEntry(kind="claim.acquire", body=fenced, timeout_s=5.0))

    def read(self, member: Member) -> None:
        """A linearizable read."""
        asked_s = self._world.fleet.now_s

        def answered(result: dict[str, object] | RoosyncError) -> None:
            if isinstance(result, RoosyncError):
                return
            watch, now_s = self._world.watch, self._world.fleet.now_s
            as_of, stale = result["as_of"], bool(result["stale"])
            assert isinstance(as_of, int)
            commits = watch.order.branches.of(member.name).commits
            watch.order.found(commits.read(member.name, as_of, stale=stale, asked_s=asked_s, at_s=now_s))

        member.request(ReadLedger(timeout_s=READ_S), answered)

    def _repeat(self) -> None:
        """A user repeats something that was decided long ago: the same key, the same answer."""
        answered = [wish for wish in self._wishes if wish.answer and not wish.given_up]
        done = [wish for wish in answered if wish.member.running and not wish.member.paused]
        if done:
            self._ask(self._dice.choose(done))

    # --- asking ---------------------------------------------------------------------------------------------------

    def _say(self, member: Member, command: OrderEntry) -> None:
        key = f"order-{len(self._wishes)}"
        body = dataclasses.replace(command, idempotency_key=key)
        wish = _Wish(member=member, command=body, asked_s=self._world.fleet.now_s)
        self._wishes.append(wish)
        self._ask(wish)

    def _ask(self, wish: _Wish) -> None:
        member = wish.member
        wish.tries += 1
        if member.running and not member.paused:
            key = wish.command.idempotency_key
            assert key is not None
            remembered = member.disk.order_key(key)
            outcome = None if remembered is None else order_facts.outcome_of(member.disk, remembered.entry)
            command = dataclasses.replace(wish.command, remembered=remembered, outcome=outcome)
            member.request(command, lambda result: self._answered(wish, result))
        if wish.tries < 5:
            later_s = wish.command.timeout_s + RETRY_S * wish.tries
            self._world.later(later_s, lambda: None if wish.done else self._ask(wish))

    def _answered(self, wish: _Wish, result: dict[str, object] | RoosyncError) -> None:
        if isinstance(result, RoosyncError):
            # Who withdraws what is not decided in time does not ask again.
            wish.given_up |= isinstance(result, UndecidedError) and wish.command.withdraw
            return
        world = self._world
        first, wish.answer = wish.answer is None, result
        entry, outcome, number = str(result["entry"]), result["outcome"], result["commit_number"]
        assert isinstance(outcome, dict)
        assert isinstance(number, int)
        world.requests += first
        world.watch.durability.told_answer(wish.member.name, entry)
        answer = Answered(
            member=wish.member.name,
            entry=entry,
            number=number,
            accepted=bool(outcome["accepted"]),
            reason=str(outcome["reason"]),
            asked_s=wish.asked_s,
            answered_s=world.fleet.now_s,
            on_disk=order_facts.item_names(wish.member.disk, entry),
        )
        world.watch.order.found(world.watch.order.branches.of(wish.member.name).commits.answered(answer))
        if first and outcome["accepted"]:
            self._granted(wish, outcome["detail"])

    def _granted(self, wish: _Wish, detail: dict[str, object]) -> None:
        token, body = detail.get("token"), wish.command.body
        if isinstance(body, ClaimAcquire) and isinstance(token, int) and "queued" not in detail:
            self._grants.append(_Grant(wish.member, body.session, body.name, token))
