"""The shared folder in memory: the public fake that the simulation and the core's tests run on.

A :class:`MemoryShare` is the medium; each machine has a :class:`MemoryFolder`, its own directory. What one writes shows
at the others after a lag of its own for every change, so changes overtake each other; and whatever such a folder does
to files (docs/protocol/folder.md §1) can be made to happen.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from roosync_p2p.core.ports import FolderItem
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import FolderError

__all__ = ["CONFLICT_NAMES", "MemoryFolder", "MemoryShare", "ShareFaults"]

CONFLICT_NAMES: Final = {  # as the synchronisers form them; the machine is the one that wrote
    "numbered": "{stem} (1){suffix}",
    "copy": "{stem} - Copy{suffix}",
    "conflicted": "{stem} ({machine}'s conflicted copy 2026-01-15){suffix}",
}


@dataclasses.dataclass(slots=True, kw_only=True)
class ShareFaults:
    """What the medium does to changes, as shares of them, and how late they come in seconds.

    Attributes:
        lag_s: least and greatest time until a change shows elsewhere, drawn for each change and machine.
        doubled: files that arrive with a conflict copy beside them, under each of ``CONFLICT_NAMES`` in turn.
        halved: files that are there half, empty or with holes before they are whole.
        renamed: replaced files that are gone for a while before they are there again.
        lost: changes that never arrive.
        rolled_back: changes after which the version before comes back once more, later.
    """

    lag_s: tuple[float, float] = (0.0, 0.0)
    doubled: float = 0.0
    halved: float = 0.0
    renamed: float = 0.0
    lost: float = 0.0
    rolled_back: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class _Change:
    at_s: float
    number: int
    to: str
    path: str
    data: bytes | None


class MemoryShare:
    """The medium between the directories of several machines.

    Args:
        now_s: the present time in seconds, of whatever clock the caller keeps.
        entropy: for lags and faults.

    Attributes:
        happened: how often each thing happened to a change; ``overtaken`` is one that came before an older one.
    """

    def __init__(self, now_s: Callable[[], float], entropy: Entropy) -> None:
        self._now_s = now_s
        self._entropy = entropy
        self._folders: dict[str, MemoryFolder] = {}
        self._due: list[_Change] = []
        self._number = 0
        self.faults = ShareFaults()
        self.stopped = False  # nothing is carried, as if the program that synchronises did not run
        self.writes: dict[str, int] = {}
        self.happened: collections.Counter[str] = collections.Counter()
        self._conflicts: Iterator[str] = itertools.cycle(CONFLICT_NAMES)
        self._newest: collections.Counter[str] = collections.Counter()  # number of the newest change at each directory

    def folder(self, machine: str) -> MemoryFolder:
        """The directory of a machine; a new one sees what the others have written."""
        if machine not in self._folders:
            folder = self._folders[machine] = MemoryFolder(self, machine)
            for other in self._folders.values():
                folder.files.update(other.files)
        return self._folders[machine]

    def changed(self, machine: str, path: str, data: bytes | None, before: bytes | None) -> None:
        """A machine wrote or deleted a file."""
        self.writes[machine] = self.writes.get(machine, 0) + 1
        for other in self._folders:
            if other != machine and not self._happens("lost", self.faults.lost):
                self._carry(machine, other, path, data, before)

    def arrive(self) -> None:
        """Lets everything show whose time has come. Each directory does so before it is looked into."""
        if self.stopped:
            return
        now_s = self._now_s()
        due = sorted(change for change in self._due if change.at_s <= now_s and not self._folders[change.to].local)
        if due:
            arrived = {change.number for change in due}
            self._due = [change for change in self._due if change.number not in arrived]
        for change in due:
            self.happened["overtaken"] += change.number < self._newest[change.to]
            self._newest[change.to] = max(change.number, self._newest[change.to])
            files = self._folders[change.to].files
            if change.data is None:
                files.pop(change.path, None)
            else:
                files[change.path] = change.data

    def _carry(self, machine: str, to: str, path: str, data: bytes | None, before: bytes | None) -> None:
        least_s, most_s = self.faults.lag_s
        now_s = self._now_s()
        at_s = now_s + least_s + (most_s - least_s) * self._entropy.fraction()
        between_s = now_s + (at_s - now_s) / 2
        if data and self._happens("halved", self.faults.halved):
            cut = int(len(data) * self._entropy.fraction())
            filled = data[:cut] + bytes(len(data) - cut) if self._chance(0.5) else data[:cut]
            self._schedule(between_s, to, path, filled)
        if data and self._happens("doubled", self.faults.doubled):
            self._schedule(at_s, to, self._conflict_name(machine, path), data)
        if data and before is not None and self._happens("renamed", self.faults.renamed):
            self._schedule(between_s, to, path, None)
        self._schedule(at_s, to, path, data)
        if before is not None and data is not None and self._happens("rolled_back", self.faults.rolled_back):
            self._schedule(at_s + most_s, to, path, before)

    def _conflict_name(self, machine: str, path: str) -> str:
        kind = next(self._conflicts)
        self.happened[f"conflict_{kind}"] += 1
        folder, slash, name = path.rpartition("/")
        stem, dot, suffix = name.partition(".")
        return folder + slash + CONFLICT_NAMES[kind].format(stem=stem, suffix=dot + suffix, machine=machine)

    def _schedule(self, at_s: float, to: str, path: str, data: bytes | None) -> None:
        self._number += 1
        self._due.append(_Change(at_s, self._number, to, path, data))

    def _chance(self, share: float) -> bool:
        return share > 0 and self._entropy.fraction() < share

    def _happens(self, what: str, share: float) -> bool:
        happens = self._chance(share)
        self.happened[what] += happens
        return happens


class MemoryFolder:
    """A :class:`~roosync_p2p.core.ports.Folder` in memory.

    Attributes:
        files: what this machine sees.
        fault: while set, every call raises it.
        write_fault: while set, writing and deleting raise it: a folder that is full, or read-only.
        silent_writing: nothing is said of that to who asks without writing: an account's quota elsewhere.
        vanished: nothing is there, as after the drive went away.
        local: what is written stays here and nothing arrives: it is no shared folder any more, and does not say so.
        held_open: paths that another program holds open: reading, replacing and deleting them fails.
        announced: paths of files that are online only, and how long the first reading of each takes in seconds.
        blocked: while set, no call comes back; whoever performs jobs waits, as a thread in the system call would.
    """

    def __init__(self, share: MemoryShare, machine: str) -> None:
        self._share = share
        self._machine = machine
        self.files: dict[str, bytes] = {}
        self.fault: FolderError | None = None
        self.write_fault: FolderError | None = None
        self.silent_writing = False
        self.vanished = False
        self.local = False
        self.held_open: set[str] = set()
        self.announced: dict[str, float] = {}
        self.blocked = False
        self._spent_s = 0.0

    def items(self, path: str) -> list[FolderItem]:
        """See the port."""
        self._look()
        if self.vanished:
            return []
        prefix = f"{path}/"
        found: dict[str, FolderItem] = {}
        for name, data in self.files.items():
            if name.startswith(prefix):
                first, slash, _ = name[len(prefix) :].partition("/")
                found[first] = FolderItem(name=first, size=0 if slash else len(data), folder=bool(slash))
        return [found[name] for name in sorted(found)]

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """See the port."""
        self._look()
        self._require_free(path)
        self._spent_s += self.announced.pop(path, 0.0)
        data = None if self.vanished else self.files.get(path)
        return None if data is None else data[:bytes_max]

    def write(self, path: str, data: bytes) -> None:
        """See the port."""
        self._change(path)
        before = self.files.get(path)
        self.files[path] = data
        if not self.local:
            self._share.changed(self._machine, path, data, before)

    def read_at(self, path: str, offset: int, count: int) -> bytes | None:
        """See the port."""
        data = self.read(path, bytes_max=offset + count)
        return None if data is None else data[offset:]

    def write_pieces(self, path: str, pieces: Iterable[bytes]) -> None:
        """See the port."""
        self.write(path, b"".join(pieces))

    def delete(self, path: str) -> None:
        """See the port."""
        self._change(path)
        if self.files.pop(path, None) is not None and not self.local:
            self._share.changed(self._machine, path, None, None)

    def take_spent_s(self) -> float:
        """How long the calls since the last time would have taken."""
        spent_s, self._spent_s = self._spent_s, 0.0
        return spent_s

    def _require_free(self, path: str) -> None:
        if path in self.held_open:
            raise FolderError("another program holds the file", code="folder_busy")

    def check_writing(self, path: str) -> None:
        """See the port. ``silent_writing`` is a system that does not say what it will do."""
        del path  # a part of a folder in memory is as writable as all of it
        if self.write_fault is not None and not self.silent_writing:
            raise self.write_fault

    def _look(self) -> None:
        if self.fault is not None:
            raise self.fault
        if not self.local:
            self._share.arrive()

    def _change(self, path: str) -> None:
        if self.fault is not None or self.write_fault is not None:
            raise self.fault or self.write_fault or AssertionError
        if self.vanished:
            raise FolderError("the shared folder is not there", code="folder_unmounted")
        self._require_free(path)
