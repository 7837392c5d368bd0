"""What was committed in a branch that the fleet gave up: listed for a person, never merged silently (ordering.md §7).

A node that goes back to the base of a new epoch keeps of every commit behind it what it was. Where it had to go back
further than it can tell (it missed an epoch), some of these come again, the same leaf under the same number: they
were not lost, and leave the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.commit.applier import Committed
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import CommitRow, MetaRow
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import CommitNumber, EntryId, Epoch

__all__ = ["Lost", "LostCommit", "describe"]

_PREFIX: Final = "lost."
_SEEN: Final = "lost_seen."
SHOWN_IN_TEXT: Final = 5  # all of them are in the details


class LostCommit(Record, frozen=True, kw_only=True):
    """What one number was.

    Attributes:
        into: the epoch that does not have it.
        epoch: the one in which it was committed.
        author, entry: empty for a change of voters.
    """

    into: int
    epoch: int
    number: int
    time_ms: int
    kind: str
    accepted: bool
    leaf: bytes
    author: str = ""
    entry: bytes = b""

    @classmethod
    def of(cls, row: CommitRow, *, into: Epoch) -> LostCommit:
        """What the row says."""
        return cls(
            into=into,
            epoch=row.epoch,
            number=row.number,
            time_ms=row.time_ms,
            kind=row.kind,
            accepted=row.accepted,
            leaf=row.leaf,
            author=row.author or "",
            entry=row.entry or b"",
        )

    def data(self) -> dict[str, object]:
        """For people and scripts, JSON-compatible."""
        return {
            "number": self.number,
            "epoch": self.epoch,
            "kind": self.kind,
            "author": self.author or None,
            "id": self.entry.hex() or None,
            "accepted": self.accepted,
        }


class Lost:
    """The list. Each is kept under the epoch that does not have it and its number."""

    def __init__(self, desk: Desk, meta: Mapping[str, bytes]) -> None:
        self._desk = desk
        self._commits: dict[tuple[int, int], LostCommit] = {}
        self._entries: set[bytes] = set()
        self._seen: set[int] = set()
        for key, value in meta.items():
            if key.startswith(_PREFIX):
                self._add(decode(value, LostCommit))
            elif key.startswith(_SEEN):
                self._seen.add(int(key.removeprefix(_SEEN)))

    def keep(self, rows: Iterable[CommitRow], *, into: Epoch) -> None:
        """Keeps what is given up for an epoch."""
        for row in rows:
            commit = LostCommit.of(row, into=into)
            self._add(commit)
            self._desk.persist(MetaRow(key=_key(commit), value=encode(commit)))

    def names(self, entry: EntryId) -> bool:
        """Whether an entry was committed in a branch that was given up."""
        return bytes(entry) in self._entries

    def came_again(self, done: Committed, epoch: Epoch) -> bool:
        """Whether that commit is, in the epoch that is followed now, one that seemed lost."""
        commit = self._commits.get((epoch, done.number))
        if commit is None or commit.leaf != done.leaf:
            return False
        del self._commits[epoch, done.number]
        if all(other.entry != commit.entry for other in self._commits.values()):
            self._entries.discard(commit.entry)
        self._desk.persist(MetaRow(key=_key(commit), value=None))
        return True

    def see(self, epoch: int) -> int:
        """Somebody has looked at what is not in that epoch; how many commits that are.

        Raises:
            InputFault: ``nothing_lost``: none is listed.
        """
        count = sum(commit.into == epoch for commit in self._commits.values())
        if not count:
            raise InputFault(
                f"no commit of this machine is missing in epoch {epoch}", code="nothing_lost", remedy="roosync status"
            )
        self._seen.add(epoch)
        self._desk.persist(MetaRow(key=f"{_SEEN}{epoch}", value=b"\x01"))
        return count

    def unseen(self, epoch: Epoch, base: int, applied: CommitNumber) -> list[LostCommit]:
        """Those of :meth:`certain` that nobody has looked at."""
        return [commit for commit in self.certain(epoch, base, applied) if commit.into not in self._seen]

    def certain(self, epoch: Epoch, base: int, applied: CommitNumber) -> list[LostCommit]:
        """Those that cannot come again.

        Args:
            epoch: that is followed now.
            base: its base.
            applied: how far it is applied here.
        """
        return [
            commit
            for _, commit in sorted(self._commits.items())
            if commit.into != epoch or commit.number > base or commit.number <= applied
        ]

    def _add(self, commit: LostCommit) -> None:
        self._commits[commit.into, commit.number] = commit
        if commit.entry:
            self._entries.add(commit.entry)


def describe(commits: Iterable[LostCommit]) -> str:
    """The first of them in words."""
    listed = [f"{commit.number} {commit.kind} {commit.entry.hex()[:16]}".rstrip() for commit in commits]
    more = f", and {len(listed) - SHOWN_IN_TEXT} more" if len(listed) > SHOWN_IN_TEXT else ""
    return ", ".join(listed[:SHOWN_IN_TEXT]) + more


def _key(commit: LostCommit) -> str:
    return f"{_PREFIX}{commit.into:020}.{commit.number:020}"
