"""Blobs through the folder, for addressees whom no link reaches (docs/protocol/folder.md §10).

Written whole by one machine, under their hash; read in slices, so that a large one keeps neither a look nor a heartbeat
file waiting; removed by who wrote them when nobody who is reached only there lacks them any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.core.attachments import Attachments, Lacking
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import BlobFromFolder, BlobToFolder, FolderJobId
from roosync_p2p.core.folder.quarantine import Quarantine
from roosync_p2p.core.folder.reaches import Reaches
from roosync_p2p.core.folder.reading import BadFile
from roosync_p2p.core.inputs import FolderBlobRead
from roosync_p2p.errors import MalformedError
from roosync_p2p.gossip.folder_paths import BlobFile, FolderName

__all__ = ["FolderBlobs"]


class FolderBlobs:
    """What of the blobs is written, read and removed. ``names``: what lies in the folder, as far as this node knows."""

    def __init__(
        self,
        desk: Desk,
        attachments: Attachments,
        reaches: Reaches,
        quarantine: Quarantine,
        *,
        names: Callable[[], Iterable[FolderName]],
    ) -> None:
        self._desk = desk
        self._attachments = attachments
        self._reaches = reaches
        self._quarantine = quarantine
        self._names = names
        self._since_s: dict[bytes, float] = {}  # since when somebody lacks what the folder lacks
        self._not_before_s: dict[str, float] = {}  # files that were no good, or not whole
        self._next_look_s = 0.0

    # --- what is to be done -----------------------------------------------------------------------------------------

    def removals(self) -> list[str]:
        """Files of this machine's part that nobody needs any more."""
        needed = {lacking.digest for lacking in self._attachments.lacking()}
        mine = [name for name in self._files() if name.owner == self._desk.me and name.digest not in needed]
        return [name.path for name in mine][: limits.FOLDER_REMOVED_AT_ONCE_MAX]

    def next_job(self, job: FolderJobId, *, may_write: bool) -> BlobToFolder | BlobFromFolder | None:
        """The next slice to be read, or the next file to be written; None while there is neither.

        Looked for every ``FOLDER_PLAN_S``, and at once while there was something.
        """
        now_s = self._desk.now.monotonic_s
        if now_s < self._next_look_s:
            return None
        found = self._reading(job, now_s) or (self._writing(job, now_s) if may_write else None)
        self._next_look_s = now_s + (limits.FOLDER_PLAN_S if found is None else 0.0)
        return found

    def next_deadline(self) -> float:
        """When to look for it (monotonic seconds)."""
        return self._next_look_s

    def _files(self) -> list[BlobFile]:
        standing = self._desk.directory.members
        found = [name for name in self._names() if isinstance(name, BlobFile)]
        return sorted((n for n in found if n.owner == self._desk.me or n.owner in standing), key=lambda n: n.path)

    def _reading(self, job: FolderJobId, now_s: float) -> BlobFromFolder | None:
        for name in self._files():
            fetch = self._attachments.fetching.fetches.get(name.digest)
            idle = fetch is not None and fetch.peer is None and not fetch.writing and fetch.not_before_s <= now_s
            if fetch is None or not idle or now_s < self._not_before_s.get(name.path, 0.0):
                continue
            if fetch.have == fetch.size:
                continue  # it is verified without another byte
            fetch.writing += 1
            return BlobFromFolder(
                job=job,
                fleet=self._desk.identity.fleet,
                path=name.path,
                digest=name.digest,
                size=fetch.size,
                offset=fetch.have,
            )
        return None

    def _writing(self, job: FolderJobId, now_s: float) -> BlobToFolder | None:
        there = {name.digest for name in self._files()}
        urgent = [one for one in self._attachments.lacking() if one.digest not in there and self._unreached(one)]
        self._since_s = {one.digest: self._since_s.get(one.digest, now_s) for one in urgent}
        for one in urgent:
            if now_s >= self._since_s[one.digest] + self._patience_s(one):
                path = BlobFile(owner=self._desk.me, digest=one.digest).path
                fleet = self._desk.identity.fleet
                return BlobToFolder(
                    job=job, fleet=fleet, path=path, digest=one.digest, size=one.size, after=self._desk.newest_ticket
                )
        return None

    def _unreached(self, one: Lacking) -> bool:
        """Whether somebody lacks it whom no link reaches, and who is there as far as the folder shows."""
        return any(self._reaches.by_folder_alone(machine) for machine in one.machines)

    def _patience_s(self, one: Lacking) -> float:
        """Of several that could, each waits longer than the one before, and its sender not at all."""
        if one.author == self._desk.me:
            return 0.0
        rank = sorted(self._desk.directory.members).index(self._desk.me)
        return limits.FOLDER_RELAY_AFTER_S + rank * limits.FOLDER_RELAY_STEP_S

    # --- what became of it --------------------------------------------------------------------------------------------

    def taken(self, answer: FolderBlobRead) -> list[tuple[str, bytes]]:
        """What became of a slice; what is to be written about a file that is no good."""
        now_s = self._desk.now.monotonic_s
        kept = answer.kept
        if answer.partial or answer.fault is not None:
            self._not_before_s[answer.path] = now_s + limits.FOLDER_LOOK_S
        if kept.damaged:
            self._not_before_s[answer.path] = now_s + limits.FOLDER_BLOB_AGAIN_S
        self._attachments.kept(kept)
        if not kept.damaged:
            return []
        # A synchroniser may still be filling it: the quarantine waits before it calls it bad.
        fault = MalformedError("a blob is another than its name says", code="bad_file")
        aside = self._quarantine.take(BadFile(path=answer.path, data=answer.head, fault=fault))
        if answer.path in self._quarantine.refused:
            self._not_before_s[answer.path] = now_s + limits.FOLDER_REFUSED_FOR_S
        return aside
