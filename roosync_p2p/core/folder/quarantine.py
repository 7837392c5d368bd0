"""Files that are no good: remembered, copied aside with the reason, never touched (docs/protocol/folder.md §8)."""

from __future__ import annotations

import collections
from collections.abc import Mapping

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.folder.reading import BadFile
from roosync_p2p.gossip.folder_paths import quarantine_path

__all__ = ["Quarantine"]

_MAY_GET_RIGHT = "bad_file"


class Quarantine:
    """What was refused in this start of the node."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._refused: collections.OrderedDict[str, int] = collections.OrderedDict()
        self._damaged_since: dict[tuple[str, bytes], float] = {}
        self._kept = 0

    @property
    def refused(self) -> Mapping[str, int]:
        """Files not to be read again while they have that size."""
        return dict(self._refused)

    @property
    def kept(self) -> int:
        """How many files were copied aside."""
        return self._kept

    def take(self, bad: BadFile) -> list[tuple[str, bytes]]:
        """What to write about a bad file: a copy and the reason, once; nothing while it may still get right."""
        digest = sha256(bad.data)
        if bad.fault.code == _MAY_GET_RIGHT:
            now_s = self._desk.now.monotonic_s
            if len(self._damaged_since) >= limits.FOLDER_REFUSED_MAX:
                self._damaged_since.clear()
            since_s = self._damaged_since.setdefault((bad.path, digest), now_s)
            if now_s < since_s + limits.FOLDER_DAMAGED_S:
                return []
        self._desk.count(f"folder.bad.{bad.fault.code}")
        self._refused[bad.path] = len(bad.data)
        while len(self._refused) > limits.FOLDER_REFUSED_MAX:
            self._refused.popitem(last=False)
        if self._kept >= limits.FOLDER_QUARANTINE_MAX:
            return []
        self._kept += 1
        self._desk.notify("folder_quarantine", {"path": bad.path, "code": bad.fault.code, "reason": bad.fault.message})
        said = f"{bad.path}\n{bad.fault.code}: {bad.fault.message}\nfound {rfc3339(self._desk.now.wall_ms)}\n"
        return [
            (quarantine_path(self._desk.me, digest, "bin"), bad.data),
            (quarantine_path(self._desk.me, digest, "txt"), said.encode()),
        ]
