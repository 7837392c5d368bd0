"""What a text scenario can expect; each answers an empty text, or what is the case instead (docs/simulation.md §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from roosync_p2p.core import view
from roosync_p2p.core.certificates import renew_from_s
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.errors import UsageError
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import describe
from roosync_p2p.simulation.order_expectations import OrderExpectations
from roosync_p2p.simulation.retention import floor_of
from roosync_p2p.simulation.verbs import Verbs

__all__ = ["Expectations"]

STEP_S: Final = 0.05  # an expectation with a bound is looked at this often


class Expectations:
    """Looks at a fleet.

    Args:
        verdicts: (judge, machine, state) of every verdict that was told so far.
    """

    def __init__(self, verbs: Verbs, verdicts: Sequence[tuple[str, str, str]]) -> None:
        self._verbs = verbs
        self._verdicts = verdicts
        self._order = OrderExpectations(verbs.order)

    def check(self, words: list[str]) -> str:
        """``... [within SECONDS]``: waits that long for it in virtual time, at most.

        Raises:
            UsageError: not an expectation.
        """
        within_s = 0.0
        if words[-2:-1] == ["within"]:
            within_s = float(words[-1])
            words = words[:-2]
        fleet = self._verbs.fleet
        until_s = fleet.now_s + within_s
        while True:
            failure = self._look(words)
            if not failure or fleet.now_s >= until_s:
                return failure
            fleet.run(min(STEP_S, until_s - fleet.now_s))

    def _look(self, words: list[str]) -> str:
        if words[0] == "never":
            return self._never(words[1:])
        if words[0] == "all":
            failures = [self._look([name, *words[1:]]) for name in self._running() if name not in words[1:]]
            return "; ".join(failure for failure in failures if failure)
        looks: dict[str, Callable[[str, list[str]], str]] = {
            "sees": self._sees,
            "has": self._has,
            "lacks": self._lacks,
            "state": self._state,
            "phase": self._phase,
            "certificate": self._certificate,
            "incarnation": self._incarnation,
            "warns": self._warns,
            "linked": self._linked,
            "unlinked": self._unlinked,
            "floor": self._floor,
            "finds": self._finds,
            "misses": self._misses,
            "knows": self._knows,
            "answered": self._answered,
            "agrees": self._agrees,
            "agrees-log": self._order.agrees,
            "alarms": self._order.alarms,
            "applied": self._order.applied,
            "follows": self._order.follows,
            "holds": self._order.holds,
            "knows-voters": self._order.voters_are,
            "leads": self._order.leads,
            "needs-rules": self._order.needs_rules,
            "outranks": self._order.outranks,
            "term-at-most": self._order.elections,
            "votes": self._order.votes,
        }
        look = looks.get(words[1])
        if look is None:
            raise UsageError(f"nothing is expected with {words[1]!r}; there are {', '.join(sorted(looks))}")
        return look(words[0], words[2:])

    def _running(self) -> list[str]:
        return [member.name for member in self._verbs.fleet.running()]

    # --- liveness -------------------------------------------------------------------------------------------------

    def _sees(self, name: str, words: list[str]) -> str:
        """``alpha sees beta online [direct|relayed|REASON]``."""
        member = self._verbs.member(name)
        verdict = member.node().presence.liveness.verdict(MachineId(words[0]), member.clock.now())
        wanted = all(word in (verdict.state, verdict.evidence.path, verdict.reason) for word in words[1:])
        return "" if wanted else f"{name} sees {describe(verdict)}"

    def _never(self, words: list[str]) -> str:
        """``never offline beta [by alpha]``: no such verdict was ever told."""
        judges = {words[3]} if words[2:3] == ["by"] else None
        told = [judge for judge, machine, state in self._verdicts if (machine, state) == (words[1], words[0])]
        told = [judge for judge in told if judges is None or judge in judges]
        return f"told by {', '.join(told)}" if told else ""

    def _linked(self, name: str, words: list[str]) -> str:
        peers = self._verbs.member(name).node().links.peers()
        return "" if words[0] in peers else f"{name} is linked with {', '.join(peers) or 'nobody'}"

    def _unlinked(self, name: str, words: list[str]) -> str:
        return "" if self._linked(name, words) else f"{name} is linked with {words[0]}"

    # --- messages -------------------------------------------------------------------------------------------------

    def _count(self, name: str, message: str) -> int:
        member = self._verbs.member(name)
        body = self._verbs.sent[message].command.body
        items = member.disk.inbox(InboxQuery(status="all", limit=200)).items
        rows = [member.disk.entry(item.message.entry) for item in items]
        return sum(row is not None and row.body is not None and body.encode() in row.body for row in rows)

    def _has(self, name: str, words: list[str]) -> str:
        """``beta has m1``: once, whole."""
        count = self._count(name, words[0])
        return "" if count == 1 else f"{words[0]} is {count} times in the inbox of {name}"

    def _lacks(self, name: str, words: list[str]) -> str:
        count = self._count(name, words[0])
        return "" if count == 0 else f"{words[0]} is {count} times in the inbox of {name}"

    def _finds(self, name: str, words: list[str]) -> str:
        """``beta finds m1``: a line of its inbox, with or without the body."""
        entry = self._verbs.sent[words[0]].entry
        count = 0 if entry is None else len(self._verbs.member(name).disk.deliveries(entry))
        return "" if count == 1 else f"{words[0]} is {count} times in the inbox of {name}"

    def _misses(self, name: str, words: list[str]) -> str:
        return "" if self._finds(name, words) else f"{words[0]} is in the inbox of {name}"

    def _floor(self, name: str, words: list[str]) -> str:
        """``beta floor alpha 4``: there the mail of alpha begins with entry 4, and is whole from there."""
        floor = floor_of(self._verbs.member(name), MachineId(words[0]))
        return "" if floor == int(words[1]) else f"the mail of {words[0]} begins with {floor} at {name}"

    def _knows(self, name: str, words: list[str]) -> str:
        """``alpha knows m1 delivered|read beta``: what the sender can say of a recipient."""
        message, state, recipient = words
        member = self._verbs.member(name)
        entry = self._verbs.sent[message].entry
        row = member.disk.entry(entry) if entry is not None else None
        if row is None:
            return f"{name} does not hold {message}"
        if state == "read":
            readers = [receipt.reader for receipt in member.disk.receipts(row.id)]
            return "" if recipient in readers else f"read by {', '.join(readers) or 'nobody'}"
        key = (row.author, row.incarnation, row.chain)
        held = member.node().delivery.holds(MachineId(recipient), key, row.sequence)
        return "" if held == (state == "delivered") else f"{recipient} is {'' if held else 'not '}known to hold it"

    def _answered(self, _name: str, words: list[str]) -> str:
        """``alpha answered m1 sent|not_writing_waiting|...``: the last answer to its sender, or to who asked."""
        if words[0] in self._verbs.order.asked:
            return self._order.answered(*words)
        answers = self._verbs.sent[words[0]].answers
        if not answers:
            return "no answer came" if words[1] != "nothing" else ""
        last = answers[-1]
        said = "sent" if isinstance(last, dict) else last.code
        return "" if said == words[1] else f"the answer was {said}"

    # --- the node itself --------------------------------------------------------------------------------------------

    def _state(self, name: str, words: list[str]) -> str:
        state = str(view.status(self._verbs.member(name).node())["state"])
        return "" if state == words[0] else f"{name} says {state}"

    def _phase(self, name: str, words: list[str]) -> str:
        authorship = self._verbs.member(name).node().authorship
        return "" if authorship.phase.value == words[0] else f"{name} is {authorship.phase.value}: {authorship.reason}"

    def _certificate(self, name: str, words: list[str]) -> str:
        """``beta certificate standing|due|expired``, by its own clock."""
        member = self._verbs.member(name)
        own, now_s = member.node().certificates.own, member.clock.now().wall_ms // 1000
        state = "due" if now_s >= renew_from_s(own) else "standing"
        state = "expired" if now_s > own.not_after_s else state
        return "" if state == words[0] else f"the certificate of {name} is {state}"

    def _incarnation(self, name: str, words: list[str]) -> str:
        incarnation = self._verbs.member(name).node().authorship.incarnation
        return "" if incarnation == int(words[0]) else f"{name} writes incarnation {incarnation}"

    def _warns(self, name: str, words: list[str]) -> str:
        """``alpha warns forked beta``: a warning with that code, whose text names that."""
        found = view.warnings(self._verbs.member(name).node())
        fits = [w for w in found if w["code"] == words[0] and all(word in str(w["message"]) for word in words[1:])]
        shown = "; ".join(f"{w['code']}: {w['message']}" for w in found)
        return "" if fits else f"{name} warns of {shown or 'nothing'}"

    def _agrees(self, name: str, words: list[str]) -> str:
        """``alpha agrees beta``: both hold the same entries."""
        mine = self._verbs.member(name).node().exchange.digest()
        theirs = self._verbs.member(words[0]).node().exchange.digest()
        return "" if mine == theirs else f"{name} and {words[0]} hold different entries"
