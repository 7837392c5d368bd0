"""What a node believes of the shared folder and does to it: never back, nothing lost, nothing refused too early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["FolderChecker"]

Version = tuple[int, int]  # (start, counter) of a heartbeat file
# What may be wrong with files of which every byte was written by a node of this fleet: they lie where they should not.
MISPLACED: Final = frozenset({"wrong_source", "wrong_content"})


class FolderChecker:
    """Fed with what nodes believe after each look, what they remove and refuse, and what came by the folder alone."""

    def __init__(self) -> None:
        self._believed: dict[tuple[str, int, str], Version] = {}
        self.removals = 0
        self.alone = 0

    def looked(self, member: str, life: int, believed: Mapping[str, Version], at_s: float) -> list[Violation]:
        """The newest heartbeat file of each machine that a node believes; within one life it only gets newer."""
        wrong = []
        for machine, version in sorted(believed.items()):
            before = self._believed.get((member, life, machine), version)
            self._believed[member, life, machine] = version
            if version < before:
                wrong.append(f"{member} believes file {version} of {machine} after file {before}")
        return [_found(text, at_s) for text in wrong]

    def removed(self, member: str, path: str, lacking: Sequence[str], at_s: float) -> list[Violation]:
        """A node removes a segment; ``lacking``: members that hold less, and find it in no other file of that node."""
        self.removals += 1
        if not lacking:
            return []
        return [_found(f"{member} removes {path}, which {', '.join(lacking)} had not got", at_s)]

    def quarantined(self, member: str, path: str, code: str, at_s: float) -> list[Violation]:
        """A node refuses a file for good. One that is only half there may still be whole soon."""
        if code in MISPLACED:
            return []
        return [_found(f"{member} refuses {path} for good ({code}): it was on its way", at_s)]

    def by_folder_alone(self, wanted: int, missing: Sequence[str], after_s: float, at_s: float) -> list[Violation]:
        """Of so many messages, said while no link led anywhere, these did not come within the folder's own time."""
        self.alone += wanted
        return [_found(f"{text} after {after_s:.0f} s by the folder alone", at_s) for text in missing]


def _found(text: str, at_s: float) -> Violation:
    return Violation(checker="folder", at_s=at_s, text=text)
