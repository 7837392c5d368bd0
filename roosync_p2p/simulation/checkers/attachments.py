"""What a message brings along is on every machine that it is for, byte for byte, on few others, and goes with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from roosync_p2p import limits
from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Attached", "AttachmentChecker"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A node told its user that a message with a file is sent.

    ``machines``: whom it is for, without its author.
    """

    entry: str
    author: str
    machines: frozenset[str]
    digest: bytes
    data: bytes


class AttachmentChecker:
    """Fed with acknowledgements during the run and with the disks after convergence."""

    def __init__(self) -> None:
        self._attached: list[Attached] = []

    def acknowledged(self, attached: Attached) -> None:
        """An answer reached the user."""
        self._attached.append(attached)

    def all(self) -> tuple[Attached, ...]:
        """Every file that was acknowledged."""
        return tuple(self._attached)

    def missing(self, disks: Mapping[str, Mapping[bytes, bytes]], excused: Collection[str]) -> list[str]:
        """What is not where it is for. ``disks``: contents by digest, by machine, of those that run.

        Who lost its author before it had it is owed nothing; nor is anybody owed what was lost with a disk.
        """
        return [
            f"{attached.entry[:8]} of {attached.author} is not whole at {machine}"
            for attached in self._attached
            if attached.entry not in excused and attached.author in disks
            for machine in sorted(attached.machines & disks.keys())
            if disks[machine].get(attached.digest) != attached.data
        ]

    def finish(
        self,
        disks: Mapping[str, Mapping[bytes, bytes]],
        excused: Collection[str],
        at_s: float,
        *,
        silent: Collection[str] = (),
    ) -> list[Violation]:
        """The verdict after convergence: nothing is missing, and who is not concerned keeps it for nobody's sake.

        ``silent``: machines that may write nothing, so nobody hears from them that they have it.
        """
        found = self.missing(disks, excused)
        for attached in self._attached:
            involved = {attached.author}.union(
                *(other.machines | {other.author} for other in self._attached if other.digest == attached.digest)
            )
            others = sorted(machine for machine in disks.keys() - involved if attached.digest in disks[machine])
            told = attached.machines - set(silent)
            complete = told == attached.machines and all(attached.digest in disks.get(m, {}) for m in told)
            allowed = 0 if complete else limits.BLOB_HELPERS_MAX
            if attached.entry not in excused and len(others) > allowed:
                found.append(f"{attached.entry[:8]} of {attached.author} is kept by {', '.join(others)}")
        return [_violation(text, at_s) for text in found]

    def dropped(self, entry: str, disks: Mapping[str, Mapping[bytes, bytes]], at_s: float) -> list[Violation]:
        """The body of that message went everywhere, by its age: so did what only it brings along."""
        (gone,) = (attached for attached in self._attached if attached.entry == entry)
        if any(other.digest == gone.digest for other in self._attached if other is not gone):
            return []
        left = sorted(machine for machine, disk in disks.items() if gone.digest in disk)
        return [_violation(f"{entry[:8]} is dropped, and what it brought is at {machine}", at_s) for machine in left]


def _violation(text: str, at_s: float) -> Violation:
    return Violation(checker="attachments", at_s=at_s, text=text)
