"""Where a node goes back to when an epoch begins: how much of what it applied is in the base (ordering.md §7).

Within one epoch all logs agree as far as they are committed, so a node that has less than the base keeps what it has.
Whether it has the base itself, the root hash tells. Where neither helps, because epochs passed of which this node
knows nothing, it goes back to the beginning of the log, and learns everything anew.
"""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.core.commit.applier import Applier
from roosync_p2p.core.commit.epochs import Beginning, Epochs
from roosync_p2p.core.commit.survey import Found, Survey
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadId
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import CommitRow
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import Epoch

__all__ = ["Bases", "base_not_here", "refusal"]


class Bases:
    """Looks for bases in what this node applied; reads it from its disk where that is necessary.

    Args:
        present: the epoch that this node is in.
    """

    def __init__(
        self, desk: Desk, links: Links, epochs: Epochs, applier: Applier, *, present: Callable[[], Epoch]
    ) -> None:
        self._desk = desk
        self._links = links
        self._epochs = epochs
        self._applier = applier
        self._present = present
        self._survey: Survey | None = None
        self._gap_until: float | None = None

    # --- answers --------------------------------------------------------------------------------------------------

    def own(self, beginning: Beginning) -> Found | None:
        """The base of an epoch that this node begins; None while its disk is read.

        Raises:
            InputFault: this node's log is another one, or cannot be cut there.
        """
        said, number = beginning.said, self._applier.number
        if said.size > number:
            raise base_not_here(said.size, number)
        if said.size == number and said.root_hash != self._applier.root:
            raise _wrong_root(said.size)
        found = self._here(beginning) or self._read_base(beginning)
        if found is None or found.number == said.size:
            return found
        if found.number == 0:
            raise _wrong_root(said.size)
        raise refusal(
            "base_inside_batch",
            f"commit {said.size} was ordered together with the one behind it",
            remedy=f"sign a statement for size {found.number}, or a later one",
            size=found.number,
        )

    def of_others(self, beginning: Beginning) -> Found | None:
        """What of this node's log is in an epoch that another one begins; None while that cannot be told."""
        present, number = self._present(), self._applier.number
        gapless = self._epochs.gapless(present, Epoch(beginning.said.epoch)) or number == 0
        if not gapless and self._waits_for_gap():
            return None
        # An epoch between may have begun further back. Where this node knows nothing of one, only the root hash counts.
        known = self._epochs.between(present, Epoch(beginning.said.epoch)) if gapless else [beginning]
        earliest = min(known, key=lambda one: one.said.size)
        if earliest.said.size > number and gapless and not self._epochs.contested(present):
            return self._all()  # the root hash is compared when this node gets to the base
        return self._here(earliest) or self._read_base(earliest)

    def none(self) -> Found | None:
        """The beginning of the log, with all commits of this node behind it; None while its disk is read."""
        return self._surveyed(0)

    def _here(self, beginning: Beginning) -> Found | None:
        """All that this node has, if just that is the base."""
        said = beginning.said
        same = said.size == self._applier.number and said.root_hash == self._applier.root
        return self._all() if same else None

    def _all(self) -> Found:
        applier = self._applier
        return Found(number=applier.number, index=applier.at)

    def _read_base(self, beginning: Beginning) -> Found | None:
        """The base among this node's commits; the beginning of the log if it is not."""
        size = beginning.said.size
        if size > self._applier.number:
            return self._surveyed(0)
        return self._surveyed(size, root=beginning.said.root_hash)

    def _surveyed(self, number: int, *, root: bytes | None = None) -> Found | None:
        if self._survey is None:
            self._survey = Survey(self._desk)
        if not self._survey.whole(self._applier.number):
            return None
        other = root is not None and self._survey.root_at(number) != root
        return self._survey.found(0 if other else number)

    def _waits_for_gap(self) -> bool:
        """Whether somebody may still tell of the epochs between."""
        now_s = self._desk.now.monotonic_s
        if self._gap_until is None:
            self._gap_until = now_s + limits.WANT_RETRY_S
            for peer in self._links.peers():
                self._epochs.ask(peer)
        return now_s < self._gap_until

    # --- time and disk --------------------------------------------------------------------------------------------

    def read(self, read: ReadId, rows: tuple[CommitRow, ...]) -> None:
        """The store's answer about commits."""
        if self._survey is not None:
            self._survey.read(read, rows)

    def next_deadline(self) -> float | None:
        """When something is to be tried again (monotonic seconds)."""
        times = (self._gap_until, None if self._survey is None else self._survey.again_at)
        now_s = self._desk.now.monotonic_s
        return min((at for at in times if at is not None and at > now_s), default=None)

    def forget(self) -> None:
        """What was looked for was found, or is of no interest any more."""
        self._survey = self._gap_until = None


def refusal(code: str, message: str, *, remedy: str, **details: object) -> InputFault:
    """Why a statement cannot be followed here."""
    return InputFault(f"{message}; nothing was changed", code=code, remedy=remedy, details=details)


def base_not_here(size: int, number: int) -> InputFault:
    """This node has less than the base."""
    return refusal(
        "base_not_here",
        f"the statement begins at commit {size}, and this machine has {number}",
        remedy="sign a statement with the size and the root hash that this machine shows",
        size=number,
    )


def _wrong_root(size: int) -> InputFault:
    return refusal(
        "wrong_root",
        f"after commit {size} the root hash of this machine's log is another one",
        remedy="sign a statement with the size and the root hash that this machine shows",
    )
