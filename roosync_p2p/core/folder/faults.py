"""What is wrong with the shared folder now: as a whole, or with writing there alone (docs/protocol/folder.md §5).

A folder that is full or read-only is read as before. Three witnesses, each with its own end:

- a job that could not use the folder at all: until one can;
- a write that failed: until one succeeds, tried again every ``FOLDER_RETRY_S``;
- what the system said at the last look, because at rest nothing is written for minutes: until it says otherwise, or
  until a write succeeds all the same. From then on that word is not believed until the system has taken it back.
"""

from __future__ import annotations

import math
from typing import Final

from roosync_p2p import limits
from roosync_p2p.errors import FolderError

__all__ = ["Faults"]

_WHOLE: Final = frozenset({"folder_unmounted", "folder_other_fleet"})  # found before anything is written


class Faults:
    """The faults of one folder. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._whole: FolderError | None = None
        self._write: FolderError | None = None
        self._said: FolderError | None = None
        self._disproved: str | None = None  # the word that a write which succeeded has shown to be wrong
        self.look_again_at = -math.inf  # nothing at all is tried before
        self.write_again_at = -math.inf

    @property
    def current(self) -> FolderError | None:
        """The one to show: the gravest."""
        said = None if self._said is None or self._said.code == self._disproved else self._said
        return self._whole or self._write or said

    @property
    def writable(self) -> bool:
        """Whether it is worth trying to write, once :attr:`write_again_at` has come."""
        return self._whole is None

    def looked(self, fault: FolderError | None, said: FolderError | None, now_s: float) -> None:
        """A look ended: ``fault`` is why there was none, ``said`` what the system says of writing."""
        self._used(fault, now_s)
        if fault is None:
            self._said = said
            if said is None or said.code != self._disproved:
                self._disproved = None

    def wrote(self, fault: FolderError | None, now_s: float, *, files: int) -> None:
        """So many files were written before ``fault``, if any; removing some proves nothing of a full folder."""
        if fault is not None and fault.code in _WHOLE:
            self._used(fault, now_s)
        elif fault is not None:
            self._write, self.write_again_at = fault, now_s + limits.FOLDER_RETRY_S
        elif files:
            self._write, self.write_again_at = None, -math.inf
            self._disproved = None if self._said is None else self._said.code

    def _used(self, fault: FolderError | None, now_s: float) -> None:
        self._whole = fault
        self.look_again_at = -math.inf if fault is None else now_s + limits.FOLDER_RETRY_S
