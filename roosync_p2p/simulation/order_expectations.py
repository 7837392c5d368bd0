"""What a text scenario can expect of the one order; answers as in :mod:`~roosync_p2p.simulation.expectations`."""

from __future__ import annotations

from roosync_p2p.consensus.raft import Raft
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.errors import UsageError
from roosync_p2p.ids import EntryId
from roosync_p2p.ledger.claims import claim_of
from roosync_p2p.simulation.order_verbs import OrderVerbs

__all__ = ["OrderExpectations"]


class OrderExpectations:
    """Looks at the order of a fleet."""

    def __init__(self, verbs: OrderVerbs) -> None:
        self._verbs = verbs

    def holds(self, name: str, words: list[str]) -> str:
        """``beta holds issue-1``, ``nobody holds issue-1``: by every running member, at the newest commit time."""
        wrong = []
        for member in self._verbs.fleet.running():
            commit = member.node().commit
            claim = claim_of(commit.state, words[0])
            holder = "nobody" if claim is None or claim.expires_ms <= commit.clock.now_ms() else claim.machine
            if holder != name:
                wrong.append(f"{member.name} says {holder} holds {words[0]}")
        return "; ".join(wrong)

    def leads(self, name: str, _words: list[str]) -> str:
        """``alpha leads``, ``nobody leads``."""
        leading = [member.name for member in self._verbs.fleet.running() if member.node().commit.order.leads]
        wanted = [] if name == "nobody" else [name]
        return "" if leading == wanted else f"{' and '.join(leading) or 'nobody'} leads"

    def follows(self, name: str, words: list[str]) -> str:
        """``beta follows alpha``, ``beta follows nobody``: whom it takes for the leader."""
        leader = self._commit(name).leader
        shown = "nobody" if leader is None else str(leader.machine)
        return "" if shown == words[0] else f"{name} follows {shown}"

    def votes(self, name: str, _words: list[str]) -> str:
        """``beta votes``: it is a voter, as it knows, and that is committed."""
        raft = self._raft(name)
        me = self._commit(name).order.me
        voters = raft.status.configuration.voters
        if me in voters and raft.commit >= raft.status.configuration.index:
            return ""
        return f"{name} takes {', '.join(map(str, voters))} for the voters"

    def voters_are(self, name: str, words: list[str]) -> str:
        """``beta knows-voters alpha,beta``."""
        shown = [str(seat.machine) for seat in self._raft(name).status.configuration.voters]
        return "" if shown == sorted(words[0].split(",")) else f"{name} knows {','.join(shown) or 'nobody'}"

    def agrees(self, name: str, words: list[str]) -> str:
        """``beta agrees-log alpha``: the same number, state and tree."""
        mine, theirs = self._commit(name), self._commit(words[0])
        if mine.applier.number != theirs.applier.number:
            return f"{name} has applied {mine.applier.number}, {words[0]} {theirs.applier.number}"
        same = (mine.state.digest, mine.applier.root) == (theirs.state.digest, theirs.applier.root)
        return "" if same else f"{name} and {words[0]} differ after number {mine.applier.number}"

    def applied(self, name: str, words: list[str]) -> str:
        """``beta applied c1``: with the number and the outcome that its user was told."""
        asked = self._verbs.asked[words[0]]
        if asked.decided is None:
            return f"{words[0]} was not decided"
        row = self._verbs.member(name).disk.commit_of(EntryId(bytes.fromhex(str(asked.decided["entry"]))))
        if row is None:
            return f"{name} has not applied {words[0]}"
        told = asked.decided["commit_number"]
        return "" if row.number == told else f"{name} gives it number {row.number}, and {told} was told"

    def answered(self, asked: str, wanted: str) -> str:
        """``beta answered c1 granted|claim_held|undecided|…``, ``beta answered q1 fresh|stale|nothing``."""
        said = self._verbs.asked[asked].said()
        return "" if said == wanted else f"the answer was {said}"

    def outranks(self, name: str, words: list[str]) -> str:
        """``c2 outranks c1``: its fencing token is greater."""
        mine, theirs = self._verbs.asked[name].token, self._verbs.asked[words[0]].token
        return "" if mine > theirs else f"the token of {name} is {mine}, that of {words[0]} {theirs}"

    def elections(self, name: str, words: list[str]) -> str:
        """``beta term-at-most 3``: so few elections took place."""
        term = self._raft(name).status.term
        return "" if term <= int(words[0]) else f"{name} is in term {term}"

    def alarms(self, name: str, words: list[str]) -> str:
        """``beta alarms ledger_changed``."""
        codes = [code for code, _, _ in self._commit(name).digests.alarms.values()]
        return "" if words[0] in codes else f"{name} raised {', '.join(codes) or 'no alarm'}"

    def needs_rules(self, name: str, words: list[str]) -> str:
        """``beta needs-rules 2``: it applies nothing any more, and says which version it lacks; 0: it applies."""
        needs = self._commit(name).applier.needs_rules or 0
        return "" if needs == int(words[0]) else f"{name} needs version {needs}"

    def _commit(self, name: str) -> CommitLog:
        return self._verbs.member(name).node().commit

    def _raft(self, name: str) -> Raft:
        raft = self._commit(name).order.raft
        if raft is None:
            raise UsageError(f"{name} takes no part yet")
        return raft
