"""The verbs of text scenarios for the one order: claims, reads, voters, the lead (docs/simulation.md §3)."""

from __future__ import annotations

import dataclasses
from typing import Final

from roosync_p2p.core.commands import OrderEntry, ReadLedger
from roosync_p2p.core.rows import LogCutRow
from roosync_p2p.errors import RoosyncError, UsageError
from roosync_p2p.ids import LogIndex
from roosync_p2p.ledger.bodies import ClaimAcquire, ClaimRelease, ClaimRenew, Fence, OrderedBody
from roosync_p2p.simulation import order_facts
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.voting import Voting

__all__ = ["Asked", "OrderVerbs"]

VOTING_S: Final = 20.0  # so long the steps to other voters may take
STEP_S: Final = 0.1
READ_S: Final = 0.3


@dataclasses.dataclass(slots=True)
class Asked:
    """A request of the scenario: what its user was answered, as far as it was."""

    who: str
    command: OrderEntry | ReadLedger
    answers: list[dict[str, object] | RoosyncError] = dataclasses.field(default_factory=list)

    @property
    def decided(self) -> dict[str, object] | None:
        """The last answer that was an outcome."""
        done = [answer for answer in self.answers if isinstance(answer, dict)]
        return done[-1] if done else None

    @property
    def token(self) -> int:
        """Of the claim that was granted.

        Raises:
            UsageError: none was.
        """
        outcome = (self.decided or {}).get("outcome")
        token = outcome["detail"].get("token") if isinstance(outcome, dict) and outcome["accepted"] else None
        if not isinstance(token, int):
            raise UsageError("that request was granted no claim")
        return token

    def said(self) -> str:
        """The last answer in one word: granted, fresh, stale, or the reason or code of what it was else."""
        last = self.answers[-1] if self.answers else None
        if last is None:
            return "nothing"
        if isinstance(last, RoosyncError):
            return last.code
        if "stale" in last:
            return "stale" if last["stale"] else "fresh"
        outcome = last["outcome"]
        assert isinstance(outcome, dict)
        if not outcome["accepted"]:
            return str(outcome["reason"])
        return "queued" if "queued" in outcome["detail"] else "granted"


class OrderVerbs:
    """What users and operators do with the one order of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.voting = Voting(fleet)
        self.asked: dict[str, Asked] = {}

    def member(self, name: str) -> Member:
        """The member of that name.

        Raises:
            UsageError: there is none.
        """
        if name not in self.fleet.members:
            raise UsageError(f"there is no machine {name}")
        return self.fleet.members[name]

    # --- requests -------------------------------------------------------------------------------------------------

    def claim(self, words: list[str]) -> None:
        """``claim beta issue-1 as c1 [ttl S] [timeout S] [session S] [queue] [withdrawn] [fence c0]``."""
        if words[2] != "as":
            raise UsageError("claim BETA NAME as C1")
        options = _options(words[4:], flags=("queue", "withdrawn"), values=("ttl", "timeout", "session", "fence"))
        fenced = self.asked.get(options.get("fence", ""))
        body = ClaimAcquire(
            name=words[1],
            ttl_ms=round(float(options.get("ttl", "60")) * 1000),
            session=options.get("session", "s1"),
            queue="queue" in options,
            fence=None if fenced is None else Fence(name=_claimed(fenced), token=fenced.token),
        )
        timeout_s = float(options.get("timeout", "5"))
        withdrawn = "withdrawn" in options
        self._ask(
            words[3],
            words[0],
            OrderEntry(
                kind="claim.acquire",
                body=body,
                timeout_s=timeout_s,
                not_after_s=timeout_s if withdrawn else None,
                withdraw=withdrawn,
            ),
        )

    def renew(self, words: list[str]) -> None:
        """``renew c1 as r1``: whoever was granted the claim goes on."""
        claim = self.asked[words[0]]
        body = _own(claim)
        renewal = ClaimRenew(name=body.name, token=claim.token, session=body.session, ttl_ms=body.ttl_ms)
        self._use(claim, words, "claim.renew", renewal)

    def release(self, words: list[str]) -> None:
        """``release c1 as r1``: whoever was granted the claim is done."""
        claim = self.asked[words[0]]
        body = _own(claim)
        release = ClaimRelease(name=body.name, token=claim.token, session=body.session)
        self._use(claim, words, "claim.release", release)

    def query(self, words: list[str]) -> None:
        """``query beta as q1``: a read that sees everything that was decided before."""
        if words[1] != "as":
            raise UsageError("query BETA as Q1")
        asked = self.asked[words[2]] = Asked(words[0], ReadLedger(timeout_s=READ_S))
        self.member(words[0]).request(asked.command, asked.answers.append)

    def retry(self, name: str) -> None:
        """The user asks the same again, with the same key."""
        asked = self.asked[name]
        assert isinstance(asked.command, OrderEntry)
        assert asked.command.idempotency_key is not None
        member = self.member(asked.who)
        remembered = member.disk.order_key(asked.command.idempotency_key)
        outcome = None if remembered is None else order_facts.outcome_of(member.disk, remembered.entry)
        again = dataclasses.replace(asked.command, remembered=remembered, outcome=outcome)
        member.request(again, asked.answers.append)

    def _use(self, claim: Asked, words: list[str], kind: str, body: OrderedBody) -> None:
        if words[1] != "as":
            raise UsageError("as NAME")
        self._ask(words[2], claim.who, OrderEntry(kind=kind, body=body, timeout_s=5.0))

    def _ask(self, name: str, who: str, command: OrderEntry) -> None:
        self.asked[name] = Asked(who, dataclasses.replace(command, idempotency_key=name))
        self.retry(name)

    # --- voters: from the first of these verbs on the story decides who votes, and no autopilot ----------------------

    def voters(self, words: list[str]) -> None:
        """``voters alpha beta gamma``: made so step by step, while time passes."""
        self._by_hand()
        until_s = self.fleet.now_s + VOTING_S
        while self.fleet.now_s < until_s:
            wanted = {str(self.member(word).identity.machine) for word in words}
            voters = self.voting.voters()
            here = {str(seat.machine) for seat in voters}
            if here == wanted and self._settled():
                return
            seats = [seat for seat in self.voting.seats().values() if seat.machine in wanted - here]
            if seats:
                self.voting.add(seats[0])
            elif here - wanted:
                self.voting.remove(next(seat for seat in voters if seat.machine in here - wanted))
            self.fleet.run(STEP_S)
        raise UsageError(f"the voters are {', '.join(sorted(here)) or 'unknown'}")

    def vote(self, words: list[str]) -> None:
        """``vote beta on|off``: the leader begins to make it a voter, or one no longer; nothing is waited for."""
        self._by_hand()
        seat = self.member(words[0]).node().commit.order.me
        if seat is None or not (self.voting.add(seat) if words[1] == "on" else self.voting.remove(seat)):
            raise UsageError(f"the leader does not turn the vote of {words[0]} {words[1]}")

    def _by_hand(self) -> None:
        """From now on the story decides who votes, and no autopilot."""
        self.fleet.autopilot = False
        for member in self.fleet.members.values():
            member.autopilot = False
            if member.core is not None:
                member.core.commit.seats.autopilot = False

    def _settled(self) -> bool:
        leader = self.voting.leader()
        raft = None if leader is None else leader.node().commit.order.raft
        return raft is not None and raft.commit >= raft.status.configuration.index

    def hand_over(self, words: list[str]) -> None:
        """``hand-over beta``: the leader makes that voter lead."""
        seat = self.member(words[0]).node().commit.order.me
        if seat is None or not self.voting.transfer(seat):
            raise UsageError(f"the lead cannot go to {words[0]}")

    # --- disks ------------------------------------------------------------------------------------------------------

    def shorten_log(self, words: list[str]) -> None:
        """``shorten-log beta 3``: a bad disk lost the last three items of its log; the machine does not run."""
        disk = self.member(words[0]).disk
        items = order_facts.items_on_disk(disk)
        disk.commit([LogCutRow(first=LogIndex(len(items) + 1 - int(words[1])))])


def _own(claim: Asked) -> ClaimAcquire:
    assert isinstance(claim.command, OrderEntry)
    assert isinstance(claim.command.body, ClaimAcquire)
    return claim.command.body


def _claimed(claim: Asked) -> str:
    return _own(claim).name


def _options(words: list[str], *, flags: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if word in flags:
            found[word] = ""
        elif word in values and left:
            found[word] = left.pop(0)
        else:
            raise UsageError(f"{word!r} means nothing here; there are {', '.join((*flags, *values))}")
    return found
