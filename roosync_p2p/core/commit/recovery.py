"""A new epoch: this node goes back to its base, and begins it or follows it (docs/protocol/ordering.md §7).

    statement of a later epoch is known ──▶ the consensus of the present one is stopped
        │
    is its base in what this node applied? ── where that cannot be told at once, the commits of this disk are read
        │
    one transaction: commits behind the base aside, state back to the base, log cut, epoch in the hard state;
        │            at the one voter also the epoch's first item and the entry ``fleet.recover``
        ▼
    the consensus goes on, in the new epoch

A crash before the transaction leaves the statement, from which everything is done again. After it nothing is left but
to apply the log once more up to the base, if more than that had been applied; the next start goes on with that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commands import Recover, SeeLost
from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.bases import Bases, base_not_here, refusal
from roosync_p2p.core.commit.clock import CommitClock
from roosync_p2p.core.commit.epochs import FLEET_RECOVER, Beginning, Epochs
from roosync_p2p.core.commit.lost import Lost
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.survey import Found
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Answer, RequestId
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.errors import InputFault, PeerFault, RoosyncError
from roosync_p2p.ids import Epoch
from roosync_p2p.ledger.bodies import Carrier

__all__ = ["Base", "Recovery"]

META: Final = "recovery"


class Base(Record, frozen=True, kw_only=True):
    """What the epoch that this node follows stands on.

    Attributes:
        lost: how many commits this node gave up for it.
        wrong: this node turned out to have applied something else up to there.
        reached: what it had applied in this epoch when it found that out.
    """

    epoch: int
    size: int
    root_hash: bytes
    lost: int = 0
    wrong: bool = False
    reached: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A person brought a statement; it is kept once it is accepted."""

    request: RequestId
    beginning: Beginning


class Recovery:
    """Brings this node from epoch to epoch.

    Args:
        meta: of the store.
        moved: called in the transaction that brings this node into another epoch.

    Attributes:
        base: of the epoch that is followed; None in the first one.
        refused: why this node does not begin the epoch that names it, by that epoch.
    """

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        epochs: Epochs,
        bases: Bases,
        lost: Lost,
        applier: Applier,
        order: Order,
        clock: CommitClock,
        meta: Mapping[str, bytes],
        *,
        moved: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._authorship = authorship
        self._epochs = epochs
        self._bases = bases
        self._lost = lost
        self._applier = applier
        self._order = order
        self._clock = clock
        self._moved = moved
        self._command: _Command | None = None
        self.base: Base | None = None
        self.refused: dict[Epoch, InputFault] = {}
        if META in meta:
            self._stand_on(decode(meta[META], Base))

    # --- the command ----------------------------------------------------------------------------------------------

    def take(self, request: RequestId, command: Recover | SeeLost) -> None:
        """A request of a user.

        Raises:
            InputFault: it cannot be followed here; nothing was changed.
        """
        match command:
            case Recover(statement=statement):
                self.ask(request, statement)
            case SeeLost(epoch=epoch):
                seen = self._lost.see(epoch)
                self._desk.emit(Answer(request=request, result={"seen": seen}, after=self._desk.newest_ticket))

    def ask(self, request: RequestId, envelope: bytes) -> None:
        """The root's statement, at the machine that it names.

        Raises:
            InputFault: it cannot be followed here; nothing was changed.
        """
        self._authorship.check_writable()
        try:
            beginning = self._epochs.opened(envelope)
        except PeerFault as fault:
            message = f"{fault.message}; nothing was changed"
            raise InputFault(message, code=fault.code, remedy=fault.remedy, details=fault.details) from fault
        present = self._order.epoch
        if present and any(one.payload == beginning.payload for one in self._epochs.of(present)):
            self._answer(request)  # asked again: it is done
            return
        if self._command is not None:
            raise InputFault(
                "another statement is being looked at; nothing was changed", code="busy", remedy="try again"
            )
        self._require(beginning)
        self._command = _Command(request=request, beginning=beginning)

    def _require(self, beginning: Beginning) -> None:
        """What can be told without the tree.

        Raises:
            InputFault: the statement is not for this node, or not for this log.
        """
        said = beginning.said
        others = [one for one in self._epochs.of(Epoch(said.epoch)) if one.payload != beginning.payload]
        newest = max(self._order.epoch, self._epochs.newest)
        if others:
            self._epochs.refused(beginning)  # the two together are the proof
            raise refusal(
                "two_epochs",
                f"the root signed another statement for epoch {said.epoch}, which begins at commit "
                f"{others[0].said.size} with {others[0].said.machine}",
                remedy=f"find out how that came to be; then sign a statement for epoch {newest + 1}",
                statements=[others[0].data(), beginning.data()],
            )
        if said.epoch <= self._order.epoch or said.epoch < newest:
            raise refusal(
                "old_epoch",
                f"the statement is for epoch {said.epoch}, and the fleet is in epoch {newest}",
                remedy=f"sign a statement for epoch {newest + 1}",
                epoch=newest,
            )
        if not self._names_me(beginning):
            raise refusal(
                "other_seat",
                f"the statement gives the vote to {said.machine}, store {said.store.hex()[:8]}; this is "
                f"{self._desk.me}, store {self._authorship.store.hex()[:8]}",
                remedy="use it on that machine, or sign one for this machine and its store",
                machine=self._desk.me,
                store=self._authorship.store.hex(),
            )
        if not 1 <= said.size <= self._applier.reached:
            raise base_not_here(said.size, self._applier.reached)

    def _require_clock(self) -> None:
        """The new epoch begins with a stamp of this node, which is alone."""
        if not self._clock.may_stamp():
            raise refusal(
                "clock_unconfirmed",
                "this machine's clock is far past the newest commit time, and no other clock confirms it",
                remedy="set the clock, start another machine, or run `roosync clock accept`",
            )

    # --- time and disk --------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Follows what is to be followed, as far as that is possible now."""
        if self._order.me is None:
            return
        if self._command is not None:
            self._consider(self._command)
        if self._command is None:
            self._follow_newest()

    def _consider(self, command: _Command) -> None:
        """The old epoch goes on until it is known that the statement can be followed."""
        try:
            self._require(command.beginning)
            self._require_clock()
            found = None if self._applier.going_back else self._bases.own(command.beginning)
        except InputFault as fault:
            self._command = None
            self._bases.forget()
            self._answer(command.request, fault)
            return
        if found is not None:
            self._epochs.note(command.beginning)
            self._order.stop()
            self._move(command.beginning, found)
            self._answer(command.request)
            self._command = None

    def _follow_newest(self) -> None:
        present, newest = self._order.epoch, self._epochs.newest
        self._compare()
        # Where the root said two things nobody can tell which log is the fleet's: neither is gone on with.
        contested = self._epochs.contested(newest)
        if newest > present or self.astray or contested:
            self._order.stop()
        if (newest == present and not self.astray) or contested or self._applier.going_back:
            return
        beginning = self._epochs.of(newest)[0]
        found = self._found(beginning)
        if found is not None:
            self._move(beginning, found)

    @property
    def astray(self) -> bool:
        """Whether this node stands on another log than its epoch does."""
        return self.base is not None and self.base.wrong

    def _compare(self) -> None:
        """What this node had when its epoch began was taken for the beginning of the base; now that shows."""
        base = self.base
        if base is None or base.wrong:
            return
        stuck = self._order.contradicted and self._applier.number < base.size
        if self._applier.contradicted or stuck:
            self.base = msgspec.structs.replace(base, wrong=True, reached=self._applier.number)
            self._desk.persist(MetaRow(key=META, value=encode(self.base)))
            self._desk.count("commit.other_branch")

    # --- where to go back to --------------------------------------------------------------------------------------

    def _found(self, beginning: Beginning) -> Found | None:
        """Where this node goes back to; None as long as that is not known, or it cannot go anywhere."""
        if self.astray and beginning.said.epoch == self._order.epoch:
            # A vote was counted on with what stood in its log: it stays, and a person decides.
            return None if self._order.votes else self._bases.none()
        if self._names_me(beginning):
            return self._named_base(beginning)
        return self._bases.of_others(beginning)

    def _names_me(self, beginning: Beginning) -> bool:
        said = beginning.said
        return said.machine == self._desk.me and said.store == self._authorship.store

    def _named_base(self, beginning: Beginning) -> Found | None:
        """The same where somebody else brought the statement that names this node."""
        epoch = Epoch(beginning.said.epoch)
        if self._authorship.phase is not Phase.READY or epoch in self.refused or not self._clock.may_stamp():
            return None
        try:
            return self._bases.own(beginning)
        except InputFault as fault:
            self.refused = {epoch: fault}
            self._desk.notify("alarm", {"code": fault.code, "message": fault.message, **beginning.data()})
            return None

    # --- going there ----------------------------------------------------------------------------------------------

    def _move(self, beginning: Beginning, found: Found) -> None:
        """Everything in one transaction. The consensus was stopped."""
        said = beginning.said
        epoch = Epoch(said.epoch)
        self._lost.keep(found.lost, into=epoch)
        self._applier.go_back(found.number, self._order.log_up_to(found.index))
        new = epoch > self._order.epoch
        reached = 0 if new or self.base is None else self.base.reached
        base = Base(epoch=epoch, size=said.size, root_hash=said.root_hash, lost=len(found.lost), reached=reached)
        self._desk.persist(MetaRow(key=META, value=encode(base)))
        self._stand_on(base)
        self._bases.forget()
        self._order.restart(epoch, found.index)
        self._moved()
        if new and self._names_me(beginning):
            self._order.begin_epoch(self._clock.stamp_ms())
            body = Carrier(epoch=epoch, statement=beginning.envelope)
            self._authorship.append(LEDGER, FLEET_RECOVER, encode(body))
        self._desk.count("commit.epochs")
        self._desk.notify("epoch", self._data(), after=self._desk.newest_ticket)

    def _stand_on(self, base: Base) -> None:
        self.base = base
        self.refused = {}
        self._applier.expect(base.size, base.root_hash)

    def _data(self) -> dict[str, object]:
        assert self.base is not None
        return {"epoch": self.base.epoch, "base": self.base.size, "lost": self.base.lost}

    def _answer(self, request: RequestId, fault: RoosyncError | None = None) -> None:
        result = fault if fault is not None else self._data()
        self._desk.emit(Answer(request=request, result=result, after=self._desk.newest_ticket))
