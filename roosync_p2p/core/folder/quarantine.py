"""Files that are no good: remembered, copied aside with the reason, never touched (docs/protocol/folder.md §8)."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.folder.reading import BadFile
from roosync_p2p.gossip.folder_paths import quarantine_path

__all__ = ["Quarantine"]

_MAY_GET_RIGHT: Final = "bad_file"
_NO_EVIDENCE: Final = frozenset({"key_revoked"})  # what a machine that is out still writes would fill the quarantine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A file that was no good, until when it is not read again."""

    size: int
    digest: bytes
    until_s: float


class Quarantine:
    """What was refused in this start of the node."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._refused: collections.OrderedDict[str, _Refused] = collections.OrderedDict()
        self._damaged_since: dict[tuple[str, bytes], float] = {}
        self._kept = 0

    @property
    def refused(self) -> Mapping[str, int]:
        """Files not to be read now while they have that size: the right one may come in the place of a wrong one."""
        now_s = self._desk.now.monotonic_s
        return {path: refused.size for path, refused in self._refused.items() if now_s < refused.until_s}

    @property
    def kept(self) -> int:
        """How many files were copied aside."""
        return self._kept

    def take(self, bad: BadFile) -> list[tuple[str, bytes]]:
        """What to write about a bad file: a copy and the reason, once; nothing while it may still get right."""
        digest, now_s = sha256(bad.data), self._desk.now.monotonic_s
        before = self._refused.get(bad.path)
        known = before is not None and before.digest == digest
        if bad.fault.code == _MAY_GET_RIGHT and not known:
            if len(self._damaged_since) >= limits.FOLDER_REFUSED_MAX:
                self._damaged_since.clear()
            since_s = self._damaged_since.setdefault((bad.path, digest), now_s)
            if now_s < since_s + limits.FOLDER_DAMAGED_S:
                return []
        self._refused[bad.path] = _Refused(
            size=len(bad.data), digest=digest, until_s=now_s + limits.FOLDER_REFUSED_FOR_S
        )
        self._refused.move_to_end(bad.path)
        while len(self._refused) > limits.FOLDER_REFUSED_MAX:
            self._refused.popitem(last=False)
        return [] if known else self._copied(bad, digest)

    def _copied(self, bad: BadFile, digest: bytes) -> list[tuple[str, bytes]]:
        if bad.fault.code in _NO_EVIDENCE:
            self._desk.count(f"folder.ignored.{bad.fault.code}")
            return []
        self._desk.count(f"folder.bad.{bad.fault.code}")
        if self._kept >= limits.FOLDER_QUARANTINE_MAX:
            return []
        self._kept += 1
        self._desk.notify("folder_quarantine", {"path": bad.path, "code": bad.fault.code, "reason": bad.fault.message})
        said = f"{bad.path}\n{bad.fault.code}: {bad.fault.message}\nfound {rfc3339(self._desk.now.wall_ms)}\n"
        return [
            (quarantine_path(self._desk.me, digest, "bin"), bad.data),
            (quarantine_path(self._desk.me, digest, "txt"), said.encode()),
        ]
