"""Watches the shared folder of a world: what nodes publish, remove and believe becomes facts for the checkers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from roosync_p2p.core.folder.segments import covered
from roosync_p2p.gossip.folder_paths import SegmentFile, parse_path
from roosync_p2p.simulation.checkers.folder import FolderChecker
from roosync_p2p.simulation.checkers.violation import Violation
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.fleet import Fleet

__all__ = ["FolderWatch"]


class FolderWatch:
    """The part of a world's watch that knows the folder. ``found`` takes violations."""

    def __init__(self, *, found: Callable[[Iterable[Violation]], None]) -> None:
        self.checker = FolderChecker()
        self._found = found
        self._fleet: Fleet
        self._excused: Callable[[Member], bool]

    def attach(self, fleet: Fleet, *, excused: Callable[[Member], bool]) -> None:
        """Whom to watch, and who has forgotten what it signed for: its disk was replaced."""
        self._fleet = fleet
        self._excused = excused

    def published(self, member: Member, files: Iterable[str], removed: Iterable[str]) -> None:
        """A node changes its part of the folder; what one that is out writes there is owed to nobody."""
        gone = [name for path in removed if isinstance(name := parse_path(path), SegmentFile)]
        if not gone or member.name in self._fleet.outside:
            return
        assert member.folder is not None
        paths = {*member.folder.files, *files} - {name.path for name in gone}
        kept = [name for path in sorted(paths) if isinstance(name := parse_path(path), SegmentFile)]
        for name in gone:
            same = [other for other in kept if (other.owner, other.key) == (name.owner, name.key)]
            lacking = [] if covered(same, name.first) >= name.last else self._lacking(member, name)
            self._found(self.checker.removed(member.name, name.path, lacking, self._fleet.now_s))

    def _lacking(self, member: Member, name: SegmentFile) -> list[str]:
        others = [other for other in self._fleet.insiders() if other is not member and not self._excused(other)]
        return [other.name for other in others if self._head(other, name) < name.last]

    def _head(self, member: Member, name: SegmentFile) -> int:
        if name.author == member.identity.machine:
            return name.last
        rows = [heads for heads in member.disk.load().chains if (heads.author, heads.incarnation) == name.key[:2]]
        return max((row.floor + len(row.ids) // 32 - 1 for row in rows if row.chain == name.chain), default=0)

    def looked(self, member: Member) -> None:
        """A node took in what a look into the folder showed."""
        if member.core is not None:
            believed = {str(machine): version for machine, version in member.core.folder.beacons.newest.items()}
            self._found(self.checker.looked(member.name, member.life, believed, self._fleet.now_s))

    def quarantined(self, member: Member, path: str, code: str) -> None:
        """A node refused a file for good."""
        self._found(self.checker.quarantined(member.name, path, code, self._fleet.now_s))
