"""What the parts of a core share: identity, directory, entropy, rules, the effects of this input, tickets, counters.

Each input gets at most one :class:`~roosync_p2p.core.effects.Persist`: all rows written while it is handled become
durable together, and whatever reports them waits for that one ticket.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

from roosync_p2p import limits
from roosync_p2p.clock import Now
from roosync_p2p.codec.records import encode
from roosync_p2p.core.effects import REPORTS, Effect, Notify, Persist, Ticket
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.rows import FormerKey, MemberRow, MetaRow, Row
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.ledger.rules import RULES, Rules
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.rotations import Rotation

__all__ = ["Desk"]


class Desk:
    """Collects effects while an input is handled; owned by one NodeCore."""

    def __init__(self, identity: NodeIdentity, directory: Directory, entropy: Entropy, rules: Rules = RULES) -> None:
        self.identity = identity
        self.directory = directory
        self.entropy = entropy
        self.rules = rules
        self.now = Now(monotonic_s=0.0, wall_ms=0)
        self.counters: collections.Counter[str] = collections.Counter()
        self.durable = Ticket(0)
        self._effects: list[Effect] = []
        self._rows: list[Row] = []
        self._lingers = True
        self._ticket = Ticket(1)

    @property
    def me(self) -> MachineId:
        """This machine's id."""
        return self.identity.machine

    @property
    def scale(self) -> float:
        """By what a fleet is larger than one in which every pair links; 1 up to there (docs/protocol/links.md §10)."""
        return max(1.0, len(self.directory.members) / limits.FULL_MESH_MEMBERS_MAX)

    def emit(self, effect: Effect) -> None:
        """Adds an effect."""
        self._effects.append(effect)

    def persist(self, *rows: Row, lingers: bool = False) -> Ticket:
        """Adds rows to this input's transaction; returns the ticket that reports of them wait for.

        Args:
            lingers: it may be written a moment later, with something else; if somebody waits for it all the same, it
                is not.
        """
        if rows:
            self._rows.extend(rows)
            self._lingers = self._lingers and lingers
        return self._ticket

    @property
    def newest_ticket(self) -> Ticket:
        """The ticket that covers everything written so far, this input included."""
        return self._ticket if self._rows else Ticket(self._ticket - 1)

    def notify(self, event: str, data: dict[str, object], *, after: Ticket = Ticket(0)) -> None:  # noqa: B008 - an int
        """Adds an event for the event stream."""
        self.emit(Notify(event=event, data=data, after=after))

    def count(self, what: str) -> None:
        """Counts something that is shown to people and changes nothing."""
        self.counters[what] += 1

    def fault(self, fault: PeerFault) -> None:
        """Counts what somebody else got wrong, by its code."""
        self.count(f"fault.{fault.code}")

    def learn(self, leaf: bytes, issuer: bytes, *, introduced: bool = False) -> None:
        """Takes verified certificates into the directory and the store.

        Args:
            introduced: they came with what was signed perhaps long ago: a key that was given up since is kept as one.

        Raises:
            PeerFault: they do not lead to the root, or the machine is pinned to another key.
        """
        known = self.directory
        self.follow(known.with_introduced(leaf, issuer) if introduced else known.with_chain(leaf, issuer))

    def know_oneself(self) -> None:
        """This machine's own key is the one on its disk, whichever its store knew: that may be an older copy.

        Raises:
            PeerFault: the store knows that this key was given up.
        """
        identity = self.identity
        known = self.directory.members.get(self.me)
        if known is not None and known.key_id != identity.key.key_id:
            self.give_up([known.key_id])
        self.learn(identity.leaf, identity.issuer)
        if identity.own_issuer is not None:
            self.learn_issuer(identity.own_issuer)

    def rotated(self, said: Rotation) -> None:
        """A machine has another key: takes that into the directory and the store, if it follows on what is known.

        Raises:
            PeerFault: the issuer of the new certificate was given up, or the key was replaced by another before.
        """
        self.follow(said.taken_into(self.directory))

    def learn_issuer(self, certificate: bytes) -> None:
        """Takes in an issuer key that the root vouches for. The ledger keeps it.

        Raises:
            PeerFault: the root does not.
        """
        self.directory = self.directory.with_issuer(certificate)

    def follow(self, directory: Directory) -> None:
        """Takes a directory that was made from this one."""
        before, self.directory = self.directory, directory
        self._keep_former(before)
        self._keep_members(before)

    def give_up(self, keys: Iterable[KeyId]) -> None:
        """Takes nothing new from these keys any more; what a machine signed with one of them stays verifiable."""
        self.follow(self.directory.with_given_up(keys))

    def learn_former(self, leaf: bytes, issuer: bytes) -> None:
        """Takes in a key that a machine had before.

        Raises:
            PeerFault: the certificates do not lead to the root, or the machine still has that key.
        """
        before = self.directory
        self.directory = before.with_former(leaf, issuer)
        self._keep_former(before)

    def _keep_members(self, before: Directory) -> None:
        for machine, member in self.directory.members.items():
            if before.members.get(machine) is not member:
                row = MemberRow(machine=machine, key_id=member.key_id, leaf=member.leaf, issuer=member.issuer)
                ticket = self.persist(row)
                if machine not in before.members:
                    self.notify("member", {"machine": machine}, after=ticket)

    def _keep_former(self, before: Directory) -> None:
        for place in self.directory.former.keys() - before.former.keys():
            member = self.directory.former[place]
            key = f"{FormerKey.PREFIX}{member.machine}.{member.key_id.hex()}"
            self.persist(MetaRow(key=key, value=encode(FormerKey(leaf=member.leaf, issuer=member.issuer))))

    def drain(self) -> list[Effect]:
        """The effects of this input, what is to be persisted first."""
        effects: list[Effect] = []
        if self._rows:
            lingers = self._lingers and not any(
                isinstance(effect, REPORTS) and not isinstance(effect, Notify) and effect.after >= self._ticket
                for effect in self._effects
            )
            effects.append(Persist(ticket=self._ticket, rows=tuple(self._rows), lingers=lingers))
            self._rows.clear()
            self._lingers = True
            self._ticket = Ticket(self._ticket + 1)
        effects.extend(self._effects)
        self._effects.clear()
        return effects
