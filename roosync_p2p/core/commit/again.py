"""Requests of this machine that a new epoch overtook: asked anew, once (docs/protocol/ordering.md §7).

An entry names the epoch that it was written in. One that had no number when that epoch ended gets one in the next,
with the outcome ``old_epoch``: it is out of its author's way, and has no effect. If it was never committed before, its
author writes it again for the present epoch. What was committed in a branch that the fleet gave up is not written
again: a person decides about that. Nor is what an entry behind it takes back; so this waits until everything that its
author has written meanwhile has its number too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commit.applier import Committed
from roosync_p2p.core.commit.asks import REQUEST_WITHDRAW
from roosync_p2p.core.commit.epochs import FLEET_RECOVER
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import EntryId, Epoch
from roosync_p2p.ledger.bodies import RequestWithdraw, in_epoch

__all__ = ["Again", "Overtaken"]

_PREFIX: Final = "again."
OLD_EPOCH: Final = "old_epoch"


class Overtaken(Record, frozen=True, kw_only=True):
    """An entry that has no effect, because of its epoch.

    Attributes:
        number: in which order they are written again.
        body: until it was written again.
        entry: what it became.
    """

    number: int
    kind: str
    body: bytes = b""
    entry: bytes = b""


class Again:
    """What is to be asked anew, and what it became.

    Args:
        meta: of the store.
        epoch: the one in force.
        ordered: this machine's cursor.
        lost: whether an entry was committed in a branch that was given up.
        rewritten: whoever waits for the first waits for the second from now on.
    """

    def __init__(
        self,
        desk: Desk,
        authorship: Authorship,
        meta: Mapping[str, bytes],
        *,
        epoch: Callable[[], Epoch],
        ordered: Callable[[], tuple[int, int]],
        lost: Callable[[EntryId], bool],
        rewritten: Callable[[EntryId, EntryId], None],
    ) -> None:
        self._desk = desk
        self._authorship = authorship
        self._epoch = epoch
        self._ordered = ordered
        self._lost = lost
        self._rewritten = rewritten
        self._due: dict[EntryId, Overtaken] = {}
        self._became: dict[EntryId, EntryId] = {}
        self._behind = self._head()  # up to here everything has to have its number first
        for key, value in meta.items():
            if key.startswith(_PREFIX):
                self._add(EntryId(bytes.fromhex(key.removeprefix(_PREFIX))), decode(value, Overtaken))

    def now(self, entry: EntryId) -> EntryId:
        """The entry that a request is now: another one where an epoch overtook it."""
        while (later := self._became.get(entry)) is not None:
            entry = later
        return entry

    def due(self, entry: EntryId) -> bool:
        """Whether it has no effect because of its epoch, and is about to be written again."""
        return entry in self._due

    def takes(self, done: Committed) -> bool:
        """An entry got its number; whether it is to be asked anew, so that its outcome is none yet."""
        entry = done.entry
        if entry is None or entry.author != self._desk.me or done.again or entry.body is None:
            return False
        if done.kind == REQUEST_WITHDRAW and self._withdrawn(entry.body):
            return False
        if done.outcome.reason != OLD_EPOCH or done.kind == FLEET_RECOVER or self._lost(entry.id):
            return False
        self._behind = self._head()
        self._put(entry.id, Overtaken(number=done.number, kind=done.kind, body=entry.body))
        return True

    def withdrawn(self, entry: EntryId) -> bool:
        """Nobody wants that any more; whether it was about to be asked anew, and now is not."""
        if self._due.pop(entry, None) is None:
            return False
        self._desk.persist(MetaRow(key=_PREFIX + entry.hex(), value=None))
        return True

    def write(self) -> None:
        """Writes what is to be asked anew, once it is known that nothing takes it back."""
        if not self._due or self._ordered() < self._behind or self._authorship.phase is not Phase.READY:
            return
        for old, known in sorted(self._due.items(), key=lambda item: item[1].number):
            del self._due[old]
            new, _ = self._authorship.append(LEDGER, known.kind, in_epoch(known.body, self._epoch()))
            self._put(old, Overtaken(number=known.number, kind=known.kind, entry=new.id))
            self._desk.count("commit.asked_again")
            self._rewritten(old, new.id)

    def _head(self) -> tuple[int, int]:
        return self._authorship.incarnation, self._authorship.head(LEDGER)

    def _withdrawn(self, body: bytes) -> bool:
        try:
            return self.withdrawn(EntryId(decode(body, RequestWithdraw).entry))
        except MalformedError:
            return False

    def _put(self, entry: EntryId, overtaken: Overtaken) -> None:
        self._add(entry, overtaken)
        self._desk.persist(MetaRow(key=_PREFIX + entry.hex(), value=encode(overtaken)))

    def _add(self, entry: EntryId, overtaken: Overtaken) -> None:
        if overtaken.entry:
            self._became[entry] = EntryId(overtaken.entry)
        else:
            self._due[entry] = overtaken
