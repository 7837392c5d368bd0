"""What happens to keys in a story: a machine is revoked, and returns (docs/protocol/trust.md §7)."""

from __future__ import annotations

from roosync_p2p.core.commands import OrderEntry, Revoke
from roosync_p2p.errors import RoosyncError, UsageError
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import Carrier
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust.statements import MEMBER_REMOVE, Cut

__all__ = ["KeyVerbs"]

_ORDERED_WITHIN_S = 5.0


class KeyVerbs:
    """Does to the keys of a fleet what a person with the issuer's or the root's key would do."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._serial = 0

    def revoke(self, words: list[str]) -> None:
        """``revoke gamma at alpha``: by the issuer, or by the root if gamma is one; the cut is what alpha holds."""
        if words[1:2] != ["at"]:
            raise UsageError("revoke GAMMA at ALPHA")
        self.revoke_at(self._fleet.members[words[2]], MachineId(words[0]))

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

        def heard(result: object) -> None:
            if not isinstance(result, RoosyncError) and teller.running:
                order = OrderEntry(kind=MEMBER_REMOVE, body=Carrier(statement=statement), timeout_s=_ORDERED_WITHIN_S)
                teller.request(order, lambda _result: None)

        teller.request(Revoke(statement=statement), heard)
