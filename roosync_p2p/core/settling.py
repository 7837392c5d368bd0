"""What follows when a fork is settled (docs/protocol/entries.md §5).

A person says with ``member.settle`` which branch of a forked chain goes on. Every node acts on it when it is applied:
what it holds of the other branch leaves the chain and is kept beside it, and the branch that is kept comes by gossip.
The forked machine itself follows no order while it is in conflict. It acts as soon as it holds an issuer's entry, and
that is safe: a store that is kept needs a countersignature first, which issuers give only once they have applied it.

Everything that this changes is written in the transaction of the input that brought it, so a restart finds it done or
finds it to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.rows import ForkRow
from roosync_p2p.core.wire import OwnQuery
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.errors import InputFault, PeerFault
from roosync_p2p.ids import Chain, EntryId, MachineId
from roosync_p2p.ledger.bodies import MEMBER_SETTLE, MemberSettle
from roosync_p2p.ledger.cursors import cursor_of

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["Settling", "settlement"]


class Settling:
    """Acts on settlements, of others when they are applied, of this machine's own forks when they are heard."""

    def __init__(self, core: NodeCore) -> None:
        self._core = core
        core.authorship.beside = core.forks.beside

    def begin(self) -> None:
        """At the start: who is in conflict, and whether a settlement puts this store out."""
        for author in self._core.forks.authors():
            self._core.watch.in_conflict(author, "forked")
        self._if_out()

    def heard(self, entry: Entry) -> None:
        """An entry of a ledger chain was accepted; if an issuer settles a fork of this machine, that counts at once."""
        if entry.header.kind != MEMBER_SETTLE or entry.author not in self._issuers() or entry.body is None:
            return
        try:
            body = decode(entry.body, MemberSettle, size_max=limits.ENTRY_BODY_BYTES_MAX)
        except PeerFault as fault:
            self._core.desk.fault(fault)
            return
        if body.machine == self._core.me:
            self._settled(body)

    def follow(self) -> None:
        """Acts on what was applied since the last call."""
        applied, self._core.commit.settlements = self._core.commit.settlements, []
        for entry in applied:
            assert entry.body is not None
            self._settled(decode(entry.body, MemberSettle, size_max=limits.ENTRY_BODY_BYTES_MAX))

    def _settled(self, body: MemberSettle) -> None:
        core = self._core
        author, (sequence, keep) = MachineId(body.machine), body.kept
        key: ChainKey = (author, body.incarnation, Chain(body.chain))
        if not core.forks.settle(key, sequence, EntryId(keep)):
            return
        data: dict[str, object] = {"machine": author, "chain": body.chain, "sequence": sequence, "keep": keep.hex()}
        core.desk.notify("settled", data, after=core.desk.newest_ticket)
        if author == core.me:
            self._own()
            return
        if core.exchange.held(key, sequence) not in (None, keep):
            core.commit.applier.dropped(core.exchange.cut_off(key, sequence))
            core.delivery.frontier_moved()
        if not core.forks.frozen(author):
            core.watch.settled(author)

    def _own(self) -> None:
        core = self._core
        if core.authorship.phase is Phase.REVOKED or self._if_out() or core.forks.frozen(core.me):
            return
        core.authorship.settled(out="")
        core.watch.settled(core.me)
        for peer in core.links.peers():
            if core.authorship.to_ask(peer):
                core.links.send(peer, OwnQuery())

    def _if_out(self) -> bool:
        core = self._core
        lost = core.forks.lost(core.me)
        if lost is None or core.authorship.phase is Phase.REVOKED:
            return False
        core.authorship.settled(
            out=f"the fork of its {lost[2]} chain was settled for the other branch: this home is the copy"
        )
        core.presence.silence()
        core.delivery.silence()
        return True

    def _issuers(self) -> set[MachineId]:
        directory = self._core.desk.directory
        return {issuer.machine for issuer in directory.issuers.values() if issuer.key_id not in directory.given_up}


def settlement(core: NodeCore, proof: ForkRow, keep: EntryId, *, ordered: bool) -> MemberSettle:
    """What an issuer says to keep one of the entries of ``proof``, which begins a fork.

    Args:
        ordered: whether that entry has a commit number, by what is applied here.

    Raises:
        InputFault: ``already_ordered``: another entry has the number of that place.
    """
    sequence, kept = proof.sequence, bytes(keep)
    fork: tuple[int, bytes] = (0, b"")
    cursor = cursor_of(core.commit.state, proof.author)
    if proof.chain == LEDGER and cursor.place >= (proof.incarnation, sequence):
        if not ordered:
            raise InputFault(
                f"another entry {sequence} of {proof.author} has its commit number, and what was ordered stays;"
                " nothing was changed",
                code="already_ordered",
                remedy="keep the other branch",
            )
        if cursor.incarnation == proof.incarnation:
            # The ledger knows the newest alone; to keep that settles what is before it.
            fork, sequence, kept = (sequence, kept), cursor.sequence, cursor.id
    return MemberSettle(
        machine=proof.author,
        incarnation=proof.incarnation,
        chain=proof.chain,
        sequence=sequence,
        keep=kept,
        fork_sequence=fork[0],
        fork_keep=fork[1],
    )
