"""What a simulated machine shows of itself to whoever checks it; it behaves the same whether anybody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from roosync_p2p.core import effects
from roosync_p2p.core.rows import Row
from roosync_p2p.trust.directory import Directory

if TYPE_CHECKING:
    from roosync_p2p.simulation.member import Member

__all__ = ["NOBODY", "Nobody", "Observer"]


class Observer(Protocol):
    """Called at the moment something happens; must not change anything."""

    def wrote(self, member: Member, rows: tuple[Row, ...]) -> None:
        """Rows are on their way to the disk, and not durable yet."""

    def sent(self, member: Member, frame: bytes) -> None:
        """A frame left the node."""

    def published(self, member: Member, job: effects.PublishFiles, directory: Directory) -> None:
        """The node puts files into the shared folder, and removes others, with what it knew when it asked for that."""

    def looked(self, member: Member) -> None:
        """The node took in what lies in the shared folder."""

    def dialled(self, member: Member, address: str) -> None:
        """The node tries an address."""

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """The node put something on its event stream."""

    def crashed(self, member: Member) -> None:
        """The node is gone; its disk is as the next start will find it."""

    def handled(self, member: Member) -> None:
        """The node took in one thing that happened, and what followed from it was done or waits for the disk."""


class Nobody:
    """Watches nothing; the base of who watches little."""

    def wrote(self, member: Member, rows: tuple[Row, ...]) -> None:
        """Ignored."""

    def sent(self, member: Member, frame: bytes) -> None:
        """Ignored."""

    def published(self, member: Member, job: effects.PublishFiles, directory: Directory) -> None:
        """Ignored."""

    def looked(self, member: Member) -> None:
        """Ignored."""

    def dialled(self, member: Member, address: str) -> None:
        """Ignored."""

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """Ignored."""

    def crashed(self, member: Member) -> None:
        """Ignored."""

    def handled(self, member: Member) -> None:
        """Ignored."""


NOBODY: Observer = Nobody()
