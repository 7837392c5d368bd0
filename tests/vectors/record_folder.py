"""Builds the vectors of the shared folder's files; run as a program it writes them anew.

    python -m tests.vectors.record_folder

Run it only when the protocol is meant to change, and say so in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core.folder.reading import marker_bytes
from roosync_p2p.core.folder.records import Beacon, Papers, RunRecord
from roosync_p2p.core.wire import Committed, encode_frame
from roosync_p2p.gossip.folder_file import wrap
from roosync_p2p.gossip.folder_paths import (
    MARKER,
    LogFile,
    SegmentFile,
    certificates_path,
    heartbeat_path,
    join_answer_path,
    join_hello_path,
    join_request_path,
)
from roosync_p2p.ids import Chain
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import seal
from tests.helpers.actors import A, Actor, B, entries, identity

__all__ = ["FILE", "build", "load"]

FILE: Final = Path(__file__).parent / "folder.json"


def _sealed(context: str, payload: bytes) -> bytes:
    me = identity(A)
    return seal(me.key, context=context, fleet=me.fleet, author=A, payload=payload)


def build() -> dict[str, Any]:
    """Every kind of file, whole, by its path."""
    me = identity(A)
    heartbeat = Heartbeat(
        machine=A, start=3, boot=bytes(range(16)), counter=7, wall_ms=1_768_468_530_000, interval_ms=1_000
    )
    beacon = Beacon(
        machine=A,
        start=3,
        boot=bytes(range(16)),
        counter=2,
        cadence_ms=60_000,
        nonce=bytes(range(16, 32)),
        heartbeat=_sealed(contexts.HEARTBEAT, encode(heartbeat)),
        echoes=[(str(B), bytes(range(32, 48)), 1_500)],
    )
    wrote = Actor(A).mail(2)
    segment = SegmentFile(
        owner=A,
        author=A,
        incarnation=1,
        chain=Chain("mail"),
        first=wrote[0].header.sequence,
        last=wrote[-1].header.sequence,
    )
    frame = entries(*wrote)
    run = RunRecord(machine=A, frame=encode_frame(Committed(epoch=0, first=1, items=[b"item"], commit=1)))
    papers = encode(Papers(leaf=me.leaf, issuer=me.issuer))
    files = {
        MARKER: marker_bytes(me.fleet),
        heartbeat_path(A): wrap(_sealed(contexts.FOLDER_HEARTBEAT, encode(beacon))),
        segment.path: wrap(encode_frame(frame)),
        LogFile(owner=A, epoch=0, first=1, last=1).path: wrap(_sealed(contexts.FOLDER_LOG, encode(run))),
        certificates_path(A, sha256(papers)): wrap(papers),
    }
    return {
        "files": {path: data.hex() for path, data in sorted(files.items())},
        "join": [
            join_hello_path(A),
            join_request_path(B, bytes(range(16))),
            join_answer_path(A, sha256(b"a request")),
        ],
    }


def load() -> Any:
    """What was frozen."""
    return json.loads(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n", encoding="utf-8")
