"""The root's statements that begin epochs: which are known here, and whom to ask for more (ordering.md §7).

A statement comes in the entry ``fleet.recover``, which travels like every entry, or from a peer that was asked for it,
or with a command. It is kept in whatever way it came, and before anything is done about it. There is one an epoch; a
second one is kept too, because the two together are the proof.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.core.wire import EpochsFrame, WantEpochs
from roosync_p2p.entries.entry import Entry
from roosync_p2p.errors import MalformedError, PeerFault, UntrustedError
from roosync_p2p.ids import Epoch, MachineId
from roosync_p2p.ledger.bodies import Carrier
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.envelopes import Verified, parse_envelope, verify
from roosync_p2p.trust.statements import Recovery as Statement

__all__ = ["FLEET_RECOVER", "Beginning", "Epochs"]

FLEET_RECOVER: Final = "fleet.recover"
_PREFIX: Final = "epoch."
_REFUSED: Final = "epoch_refused."
_PROOF: Final = 2  # statements for one epoch: more prove nothing more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A statement of the root, verified. Two with equal ``payload`` say the same."""

    said: Statement
    payload: bytes
    envelope: bytes

    def data(self) -> dict[str, object]:
        """What it says, JSON-compatible, with the envelope as the proof."""
        return {
            "epoch": self.said.epoch,
            "machine": self.said.machine,
            "store": self.said.store.hex(),
            "size": self.said.size,
            "root_hash": self.said.root_hash.hex(),
            "dead": list(self.said.dead),
            "reason": self.said.reason,
            "statement": self.envelope.hex(),
        }


class Epochs:
    """What is known of epochs.

    Args:
        meta: of the store.
        current: the epoch that this node is in.

    Attributes:
        alarms: two statements for one epoch, by the epoch: both of them.
    """

    def __init__(self, desk: Desk, links: Links, meta: Mapping[str, bytes], *, current: Callable[[], Epoch]) -> None:
        self._desk = desk
        self._links = links
        self._current = current
        self._known: dict[Epoch, list[Beginning]] = {}
        self._refused: dict[Epoch, Beginning] = {}
        self._asked_at: dict[MachineId, float] = {}
        for key, envelope in sorted(meta.items()):
            if key.startswith(_PREFIX):
                self._add(_stored(envelope))
            elif key.startswith(_REFUSED):
                refused = _stored(envelope)
                self._refused[Epoch(refused.said.epoch)] = refused

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def newest(self) -> Epoch:
        """The latest epoch that the root began, as far as this node knows."""
        return max(self._known, default=Epoch(0))

    def of(self, epoch: Epoch) -> list[Beginning]:
        """The statements for an epoch: one, or two that contradict each other."""
        return list(self._known.get(epoch, ()))

    def contested(self, epoch: Epoch) -> bool:
        """Whether the root said two different things about an epoch."""
        return len(self._known.get(epoch, ())) > 1

    def between(self, after: Epoch, last: Epoch) -> list[Beginning]:
        """The statements for the epochs behind ``after`` up to ``last``, in their order."""
        return [one for epoch in sorted(self._known) if after < epoch <= last for one in self._known[epoch]]

    def gapless(self, after: Epoch, last: Epoch) -> bool:
        """Whether there is one statement, and no more, for each of these epochs."""
        return all(len(self._known.get(Epoch(epoch), ())) == 1 for epoch in range(after + 1, last + 1))

    @property
    def alarms(self) -> dict[Epoch, list[Beginning]]:
        """The epochs for which there are two, with both."""
        both = {}
        for epoch, known in sorted(self._known.items()):
            refused = self._refused.get(epoch)
            unfollowed = refused is not None and all(one.payload != refused.payload for one in known)
            statements = [*known, refused] if refused is not None and unfollowed else known
            if len(statements) > 1:
                both[epoch] = statements[:_PROOF]
        return both

    # --- statements in --------------------------------------------------------------------------------------------

    def opened(self, envelope: bytes) -> Beginning:
        """Reads and verifies a statement.

        Raises:
            PeerFault: it is no such statement, or not by the root of this fleet.
        """
        directory = self._desk.directory
        return self._read(
            verify(envelope, context=contexts.STATEMENT, directory=directory, size_max=limits.ENTRY_BODY_BYTES_MAX)
        )

    def carried(self, entry: Entry) -> bool:
        """An entry of the ledger chain; whether it carried a statement that was not known here."""
        if entry.header.kind != FLEET_RECOVER or entry.body is None:
            return False
        try:
            return self.note(self.opened(decode(entry.body, Carrier).statement))
        except PeerFault as fault:
            self._desk.fault(fault)  # its author wrote it, whoever passed it on; it is refused when it is applied
            return False

    def shown(self, parts: Iterable[object]) -> bool:
        """A peer's answer; whether something in it was not known here.

        Raises:
            PeerFault: something in it is no statement of the root.
        """
        news = False
        for part in parts:
            if isinstance(part, PeerFault):
                raise part
            assert isinstance(part, Verified)
            news |= self.note(self._read(part))
        return news

    def note(self, beginning: Beginning) -> bool:
        """Keeps a statement that somebody follows; whether it was not known here. Two for one epoch are an alarm."""
        epoch = Epoch(beginning.said.epoch)
        known = self._known.get(epoch, [])
        if any(one.payload == beginning.payload for one in known) or len(known) >= _PROOF:
            return False
        self._add(beginning)
        self._desk.persist(MetaRow(key=f"{_PREFIX}{epoch:020}.{len(known)}", value=beginning.envelope))
        if known:
            self._raise(epoch)
        return True

    def refused(self, beginning: Beginning) -> None:
        """A second statement for an epoch, which nobody follows: it is kept as evidence, and that is all."""
        epoch = Epoch(beginning.said.epoch)
        if epoch not in self._refused and not self.contested(epoch):
            self._refused[epoch] = beginning
            self._desk.persist(MetaRow(key=f"{_REFUSED}{epoch:020}", value=beginning.envelope))
            self._raise(epoch)

    def _raise(self, epoch: Epoch) -> None:
        self._desk.count("alarm.two_epochs")
        message = f"the root signed two different statements for epoch {epoch}"
        statements = [one.data() for one in self.alarms[epoch]]
        self._desk.notify("alarm", {"code": "two_epochs", "message": message, "statements": statements})

    def _add(self, beginning: Beginning) -> None:
        self._known.setdefault(Epoch(beginning.said.epoch), []).append(beginning)

    def _read(self, verified: Verified) -> Beginning:
        if verified.author != ROOT_AUTHOR:
            raise UntrustedError(
                f"an epoch begins by the root's signature, not by that of {verified.author!r}", code="not_root"
            )
        said = decode(verified.payload, Statement)
        return Beginning(said=said, payload=verified.payload, envelope=verified.raw)

    # --- asked of others, and by others -----------------------------------------------------------------------------

    def heard(self, machine: MachineId, epoch: int) -> None:
        """A machine's heartbeat is of that epoch: without the statement it is asked for it."""
        if epoch > self.newest:
            self.ask(machine)

    def ask(self, peer: MachineId) -> None:
        """Asks a peer for statements about later epochs than the present one, unless it was asked a moment ago."""
        now_s = self._desk.now.monotonic_s
        if self._asked_at.get(peer, 0.0) <= now_s and self._links.send(peer, WantEpochs(after=self._current())):
            self._asked_at[peer] = now_s + limits.WANT_RETRY_S

    def asked(self, peer: MachineId, want: WantEpochs) -> None:
        """A peer asks: it gets the latest ones.

        Raises:
            MalformedError: an impossible epoch.
        """
        if not 0 <= want.after <= limits.NUMBER_MAX:
            raise MalformedError("a want names an impossible epoch", code="bad_field")
        known = self.between(Epoch(want.after), self.newest)[-limits.EPOCHS_PER_FRAME_MAX :]
        if known:
            statements = [one.envelope for one in known]
            self._links.send(peer, EpochsFrame(statements=statements), after=self._desk.newest_ticket)

    def gone(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self._asked_at.pop(peer, None)


def _stored(envelope: bytes) -> Beginning:
    payload = parse_envelope(envelope, size_max=limits.ENTRY_BODY_BYTES_MAX).payload
    return Beginning(said=decode(payload, Statement), payload=payload, envelope=envelope)
