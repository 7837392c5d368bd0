"""Which entries and which of the log go into the folder, and when (docs/protocol/folder.md §7).

What every member has signed for already is not written at all: while links are fine, the folder stays quiet. What
somebody lacks whom no link reaches is written at once; else after a while, in which links usually settle it. Others'
entries and the log are left to their author and to the leader first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.folder.beacons import Beacons
from roosync_p2p.core.folder.reaches import Reaches
from roosync_p2p.core.folder.records import Papers, RevocationList, RunRecord
from roosync_p2p.core.folder.segments import covered, mergeable, superseded
from roosync_p2p.core.presence import Presence
from roosync_p2p.core.revocations import Revocations
from roosync_p2p.core.rotations import Rotations
from roosync_p2p.core.rows import EntryRow, MetaRow
from roosync_p2p.core.wire import Committed, EntriesFrame, EpochsFrame, WireEntry, encode_frame
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.gossip.folder_file import wrap
from roosync_p2p.gossip.folder_paths import (
    FolderName,
    LogFile,
    RevocationsFile,
    SegmentFile,
    certificates_path,
    parse_path,
    revocations_path,
)
from roosync_p2p.ids import Epoch, LogIndex, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import seal

__all__ = ["Publisher"]

N = TypeVar("N", SegmentFile, LogFile)
_SIGNED_BY: Final = "folder.key"  # in the store: with which key this machine's runs of the log are signed


class Publisher:
    """Plans what to write. ``names`` is what lies in the folder, as far as this node knows."""

    def __init__(
        self,
        desk: Desk,
        exchange: Exchange,
        delivery: Delivery,
        presence: Presence,
        commit: CommitLog,
        reaches: Reaches,
        beacons: Beacons,
        revocations: Revocations,
        rotations: Rotations,
        meta: Mapping[str, bytes],
    ) -> None:
        self._desk = desk
        self._exchange = exchange
        self._delivery = delivery
        self._presence = presence
        self._commit = commit
        self._reaches = reaches
        self._beacons = beacons
        self._revocations = revocations
        self._rotations = rotations
        self._signed_by = meta.get(_SIGNED_BY)
        self._anew: list[LogFile] | None = None  # runs that are still to be signed with the key of now
        self.names: set[FolderName] = set()
        self._floors: dict[ChainKey, int] = {}
        self._lacks_since: dict[ChainKey | str, float] = {}
        self._expired: dict[ChainKey, int] = {}  # mail up to there is too old for the folder
        self._ages_at = -math.inf
        self._plan_at = -math.inf
        self._reading = False
        self._ready: list[tuple[str, bytes]] = []
        self._gone: list[str] = []

    # --- what lies there ------------------------------------------------------------------------------------------

    def published(self, written: Iterable[str], removed: Iterable[str]) -> None:
        """These files are in the folder, those are not any more."""
        self.names |= {name for path in written if (name := parse_path(path)) is not None}
        self.names -= {name for path in removed if (name := parse_path(path)) is not None}

    def soon(self) -> None:
        """Something came that may have to be written."""
        self._plan_at = min(self._plan_at, self._desk.now.monotonic_s + limits.FOLDER_GATHER_S * self._scale)

    # --- the plan -------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When to think again (monotonic seconds)."""
        return math.inf if self._reading else self._plan_at

    def take(self) -> tuple[list[tuple[str, bytes]], list[str]]:
        """What is to be written and removed now."""
        ready, self._ready = self._ready, []
        gone, self._gone = self._gone, []
        return ready, gone

    @property
    def _scale(self) -> float:
        """A plan looks at every chain for every member: in a large fleet it is made less often."""
        return max(1.0, len(self._desk.directory.members) / limits.FULL_MESH_MEMBERS_MAX)

    @property
    def waiting(self) -> bool:
        """Whether something is to be written."""
        return bool(self._ready or self._gone)

    def tick(self) -> None:
        """Plans, if it is time and nothing planned before waits."""
        now_s = self._desk.now.monotonic_s
        if self._reading or self.waiting or now_s < self._plan_at:
            return
        self._plan_at = now_s + limits.FOLDER_PLAN_S * self._scale
        self._floors = {
            span.key: self._exchange.floor(span.key) for span in self._exchange.spans() if span.head >= span.floor
        }
        certified = self._papers() or self._list_revocations() or self._sign_anew()
        if certified or self._log() or any(self._chain(key) for key in self._keys()):
            self._plan_at = now_s + limits.FOLDER_GATHER_S
            return
        self._tidy()

    def _sign_anew(self) -> bool:
        """Nobody believes runs of the log that were signed with a key that this machine replaced since."""
        key_id = self._desk.identity.key.key_id
        if self._signed_by == key_id:
            return False
        if self._anew is None:
            self._anew = [] if self._signed_by is None else sorted(self._mine(LogFile), key=lambda name: -name.first)
        if self._anew:
            name = self._anew.pop()
            if name.epoch == self._commit.order.epoch:
                self._write_run(name.first, name.last)  # of the same name, so it takes the old one's place
            else:
                self._gone.append(name.path)
            return True
        self._signed_by, self._anew = key_id, None
        self._desk.persist(MetaRow(key=_SIGNED_BY, value=key_id))
        return False

    def _keys(self) -> list[ChainKey]:
        """Own chains first, the ledger before the mail."""
        return sorted(self._floors, key=lambda key: (key[0] != self._desk.me, key[2], key))

    # --- certificates -----------------------------------------------------------------------------------------------

    def _papers(self) -> bool:
        identity = self._desk.identity
        body = encode(Papers(leaf=identity.leaf, issuer=identity.issuer))
        path = certificates_path(self._desk.me, sha256(body))
        if parse_path(path) in self.names:
            return False
        self._ready.append((path, wrap(body)))
        return True

    def _list_revocations(self) -> bool:
        """What everybody has to hear of: there while links are fine as well, since it is written once."""
        statements = self._revocations.statements[-limits.FOLDER_REVOCATIONS_MAX :]
        rotations = self._rotations.envelopes[-limits.FOLDER_ROTATIONS_MAX :]
        if not statements and not rotations:
            return False
        body = encode(RevocationList(statements=statements, rotations=tuple(rotations)))
        path = revocations_path(self._desk.me, sha256(body))
        if parse_path(path) in self.names:
            return False
        self._ready.append((path, wrap(body)))
        mine = [name for name in self.names if isinstance(name, RevocationsFile) and name.owner == self._desk.me]
        self._gone += [name.path for name in mine]
        return True

    # --- entries --------------------------------------------------------------------------------------------------

    def _chain(self, key: ChainKey) -> bool:
        """Whether a segment of that chain is being made."""
        head = self._exchange.durable_head(key)
        lacking = [machine for machine in self._reaches.others() if machine != key[0]]
        held = {machine: self._delivery.head_of(machine, key) for machine in lacking}
        lacking = [machine for machine in lacking if held[machine] < head]
        start = min((held[machine] for machine in lacking), default=head) + 1
        start = max(start, self._floors[key], self._expired.get(key, 0) + 1)
        files = [name for name in self._readable(SegmentFile) if name.key == key]
        first = covered(files, start) + 1
        if not lacking or first > head or not self._time_has_come(key, key[0], lacking):
            if not lacking or first > head:
                self._lacks_since.pop(key, None)
            return False
        self._reading = True
        self._exchange.read(key, first, min(head - first + 1, limits.ENTRIES_PER_FRAME_MAX), self._read)
        return True

    def _time_has_come(self, what: ChainKey | str, author: MachineId | None, lacking: list[MachineId]) -> bool:
        """Whether what somebody lacks is to be written now, and by this node."""
        now_s = self._desk.now.monotonic_s
        since_s = self._lacks_since.setdefault(what, now_s)
        if author == self._desk.me:
            urgent = any(not self._reaches.linked(machine) for machine in lacking)
            return now_s >= since_s + (0.0 if urgent else limits.FOLDER_SETTLE_S)
        # Of several that could, each waits longer than the one before: usually one writes.
        rank = sorted(self._desk.directory.members).index(self._desk.me)
        return now_s >= since_s + limits.FOLDER_RELAY_AFTER_S + rank * limits.FOLDER_RELAY_STEP_S

    def _read(self, rows: tuple[EntryRow, ...]) -> None:
        self._reading = False
        self._plan_at = self._desk.now.monotonic_s + limits.FOLDER_GATHER_S
        rows = rows[: next((at for at, row in enumerate(rows) if row.body is None), len(rows))]
        rows = self._young(rows)
        if not rows:
            return
        name = SegmentFile(
            owner=self._desk.me,
            author=rows[0].author,
            incarnation=rows[0].incarnation,
            chain=rows[0].chain,
            first=rows[0].sequence,
            last=rows[-1].sequence,
        )
        frame = EntriesFrame(entries=[WireEntry(header=row.header, body=row.body) for row in rows])
        self._ready.append((name.path, wrap(encode_frame(frame))))
        own = [mine for mine in self._mine(SegmentFile) if mine.key == name.key]
        self._gone += [old.path for old in superseded(own, name)]

    def _young(self, rows: tuple[EntryRow, ...]) -> tuple[EntryRow, ...]:
        """Those that are not too old to be kept in the folder; who lacks older mail gets it over a link one day."""
        oldest_ms = self._desk.now.wall_ms - round(limits.FOLDER_MAIL_KEPT_S * 1000)
        old = [row for row in rows if row.chain != LEDGER and row.received_ms < oldest_ms]
        for row in old:
            key: ChainKey = (row.author, row.incarnation, row.chain)
            self._expired[key] = max(row.sequence, self._expired.get(key, 0))
        return rows[len(old) :] if rows[: len(old)] == tuple(old) else rows

    # --- the log --------------------------------------------------------------------------------------------------

    def _log(self) -> bool:
        raft = self._commit.order.raft
        lacking = [machine for machine in self._reaches.others() if self._lacks_commits(machine)]
        if raft is None or not lacking:
            self._lacks_since.pop("log", None)
            return False
        epoch = self._commit.order.epoch
        files = [name for name in self._readable(LogFile) if name.epoch == epoch]
        first = covered(files, 1) + 1
        leads = self._commit.order.leads
        if first > raft.commit or not self._time_has_come("log", self._desk.me if leads else None, lacking):
            return False
        self._write_run(first, int(raft.commit))
        return True

    def _lacks_commits(self, machine: MachineId) -> bool:
        beat = self._presence.latest(machine)
        known = None if beat is None or beat.heartbeat.epoch != self._commit.order.epoch else beat.heartbeat.commit_size
        behind = known is None or known < self._commit.applier.number
        return behind and not self._reaches.linked(machine)

    def _write_run(self, first: int, last: int) -> None:
        raft = self._commit.order.raft
        assert raft is not None
        items = raft.items(
            LogIndex(first),
            count_max=min(limits.APPEND_ITEMS_MAX, last - first + 1),
            bytes_max=limits.APPEND_BYTES_TARGET,
        )
        if not items:
            return
        epoch = self._commit.order.epoch
        frame = Committed(epoch=epoch, first=first, items=[item.data for item in items], commit=int(items[-1].index))
        begun = self._commit.epochs.between(Epoch(0), epoch)[-limits.EPOCHS_PER_FRAME_MAX :]
        run = RunRecord(
            machine=self._desk.me,
            frame=encode_frame(frame),
            epochs=encode_frame(EpochsFrame(statements=[one.envelope for one in begun])) if begun else b"",
        )
        envelope = seal(
            self._desk.identity.key,
            context=contexts.FOLDER_LOG,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            payload=encode(run),
        )
        name = LogFile(owner=self._desk.me, epoch=epoch, first=first, last=int(items[-1].index))
        self._ready.append((name.path, wrap(envelope)))
        own = [mine for mine in self._mine(LogFile) if mine.epoch == epoch]
        self._gone += [old.path for old in superseded(own, name)]

    # --- tidying --------------------------------------------------------------------------------------------------

    def _tidy(self) -> None:
        """Removes what everybody has, or makes one file of many small ones; one thing at a time."""
        mine = self._mine(SegmentFile)
        done = [name.path for name in mine if self._everybody_has(name) or self._is_past(name)]
        done += [name.path for name in self._mine(LogFile) if name.epoch < self._commit.order.epoch]
        if done:
            self._gone += done[: limits.FOLDER_REMOVED_AT_ONCE_MAX]
            return
        log = [name for name in self._mine(LogFile) if name.epoch == self._commit.order.epoch]
        run = mergeable(log)
        if run is not None and self._commit.order.raft is not None:
            self._write_run(*run)
            return
        chains: dict[ChainKey, list[SegmentFile]] = {}
        for name in self._mine(SegmentFile):
            chains.setdefault(name.key, []).append(name)
        self._ask_age(mine)
        for key, names in sorted(chains.items()):
            run = mergeable(names)
            if run is not None:
                self._reading = True
                self._exchange.read(key, run[0], run[1] - run[0] + 1, self._read)
                return

    def _is_past(self, name: SegmentFile) -> bool:
        """Whether it is too old for the folder, or its author has let go of it."""
        return name.last <= self._expired.get(name.key, 0) or name.last < self._exchange.floor(name.key)

    def _ask_age(self, mine: list[SegmentFile]) -> None:
        """Looks at the oldest mail of each chain now and then."""
        now_s = self._desk.now.monotonic_s
        if now_s < self._ages_at:
            return
        self._ages_at = now_s + limits.FOLDER_AGES_S
        oldest: dict[ChainKey, SegmentFile] = {}
        for name in sorted((name for name in mine if name.chain != LEDGER), key=lambda name: -name.first):
            oldest[name.key] = name
        for key, name in sorted(oldest.items()):
            self._exchange.read(key, name.last, 1, lambda rows: (self._young(rows), None)[1])

    def _everybody_has(self, name: SegmentFile) -> bool:
        """Whether no member needs it; of the ledger only what another relays for its author is removed."""
        if name.chain == LEDGER and name.author == self._desk.me:
            return False
        others = [machine for machine in self._reaches.others() if machine != name.author]
        return all(self._delivery.holds(machine, name.key, name.last) for machine in others)

    def own_files(self) -> list[str]:
        """Of this machine's part, what another member holds as well, or nobody needs once this machine has gone."""
        others = self._reaches.others()

        def kept(name: FolderName) -> bool:
            if not isinstance(name, SegmentFile):
                return False
            return not any(self._delivery.holds(machine, name.key, name.last) for machine in others)

        return sorted(name.path for name in self.names if name.owner == self._desk.me and not kept(name))

    def _readable(self, kind: type[N]) -> list[N]:
        """What lies there and is believed: nobody reads the part of a machine that is out.

        The runs of a machine that replaced its key count once it is heard with the new one: it makes them anew then.
        """
        standing = self._desk.directory.members
        return [
            name
            for name in self.names
            if isinstance(name, kind)
            and (name.owner == self._desk.me or (name.owner in standing and self._signs_now(name.owner)))
        ]

    def _signs_now(self, machine: MachineId) -> bool:
        if all(author != machine for author, _ in self._desk.directory.former):
            return True
        return self._beacons.key_of(machine) == self._desk.directory.members[machine].key_id

    def _mine(self, kind: type[N]) -> list[N]:
        return [name for name in self.names if isinstance(name, kind) and name.owner == self._desk.me]
