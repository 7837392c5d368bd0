"""What persons do to machines in a story: revoke one (docs/protocol/trust.md §7), settle its fork (entries.md §5)."""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p.core.commands import OrderEntry, Revoke
from roosync_p2p.core.settling import settlement
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import RoosyncError, UsageError
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import MEMBER_SETTLE, Carrier
from roosync_p2p.simulation.certificates import LateRenewals, issued_for_due_s, issued_for_end_s
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust.statements import MEMBER_REMOVE, Cut

__all__ = ["KeyVerbs"]

_ORDERED_WITHIN_S = 5.0


class KeyVerbs:
    """Does to the keys of a fleet what a person with the issuer's or the root's key would do.

    ``made`` is called with every statement that was signed for this.
    """

    def __init__(self, fleet: Fleet, *, made: Callable[[bytes], None] = lambda _statement: None) -> None:
        self._fleet = fleet
        self._made = made
        self._serial = 0

    def certificate(self, words: list[str]) -> None:
        """``certificate gamma due|ends|began SECONDS``: it was issued so that it is due, or over, then.

        Before the start. ``began``: another certificate for the same key was issued then; that is shown from the next
        start on. From now on the dates of certificates limit links, and who ran out renews late.
        """
        machine, seconds = MachineId(words[0]), float(words[2])
        if not self._fleet.dated:
            self._fleet.dated = True
            LateRenewals(self._fleet).begin()
        if words[1] == "began":
            self._fleet.keys.reissue(machine, BORN_S + round(seconds), self._serials())
            self._fleet.members[machine].identity = self._fleet.keys.identities[machine]
            return
        issued_s = {"due": issued_for_due_s, "ends": issued_for_end_s}[words[1]](seconds)
        self._fleet.reissue(machine, issued_s)

    def _serials(self) -> Entropy:
        self._serial += 1
        return Entropy(self._serial.to_bytes(16, "big"))

    def forge_revocation(self, words: list[str]) -> None:
        """``forge-revocation gamma by beta at alpha``: beta signs as if it were an issuer; alpha is told."""
        if words[1] != "by" or words[3] != "at":
            raise UsageError("forge-revocation GAMMA by BETA at ALPHA")
        victim, forger = (self._fleet.keys.identities[MachineId(words[at])] for at in (0, 2))
        statement = self._fleet.keys.revocation_by(forger.key, forger.machine, victim)
        self._fleet.members[words[4]].request(Revoke(statement=statement), lambda _result: None)

    def revoke(self, words: list[str]) -> None:
        """``revoke gamma at alpha``: by the issuer, or by the root if gamma is one; the cut is what alpha holds."""
        if words[1:2] != ["at"]:
            raise UsageError("revoke GAMMA at ALPHA")
        self.revoke_at(self._fleet.members[words[2]], MachineId(words[0]))

    def settle(self, words: list[str]) -> None:
        """``settle gamma at alpha for beta``: the branch goes on that beta holds, as alpha knows where they part.

        Raises:
            UsageError: alpha knows of no fork, or beta holds neither branch.
            InputFault: what is ordered is on the other branch.
        """
        if [*words[1:2], *words[3:4]] != ["at", "for"] or len(words) != 5:
            raise UsageError("settle GAMMA at ALPHA for BETA")
        teller, holder = self._fleet.members[words[2]], self._fleet.members[words[4]]
        for keep, proof in teller.node().forks.branches(MachineId(words[0])).items():
            key = (proof.author, proof.incarnation, proof.chain)
            if holder.node().exchange.held(key, proof.sequence) == keep:
                body = settlement(teller.node(), proof, keep, ordered=teller.disk.commit_of(keep) is not None)
                order = OrderEntry(kind=MEMBER_SETTLE, body=body, timeout_s=_ORDERED_WITHIN_S)
                teller.request(order, lambda _result: None)
                return
        raise UsageError(f"{words[2]} knows of no fork of {words[0]} that {words[4]} holds a branch of")

    def revoke_at(self, teller: Member, machine: MachineId) -> None:
        """The same; the statement is told to one node, which has it ordered too."""
        self._serial += 1
        exchange = teller.node().exchange
        cuts: dict[str, Cut] = {}
        for span in exchange.spans():
            known = cuts.get(span.chain)
            if span.author == machine and (known is None or known.incarnation <= span.incarnation):
                cuts[span.chain] = Cut(incarnation=span.incarnation, sequence=span.head, id=span.id)
        statement = self._fleet.keys.revocation(
            machine, ledger=cuts.get("ledger"), mail=cuts.get("mail"), serial=self._serial
        )

        self._made(statement)

        def heard(result: object) -> None:
            if not isinstance(result, RoosyncError) and teller.running:
                order = OrderEntry(kind=MEMBER_REMOVE, body=Carrier(statement=statement), timeout_s=_ORDERED_WITHIN_S)
                teller.request(order, lambda _result: None)

        teller.request(Revoke(statement=statement), heard)
