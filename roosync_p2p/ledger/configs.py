"""Published versions of machines' configurations (docs/protocol/ledger.md §11). The bytes are blobs."""

from __future__ import annotations

from collections.abc import Iterator

from roosync_p2p import limits
from roosync_p2p.codec.records import Record
from roosync_p2p.ledger.bodies import ConfigPublish
from roosync_p2p.ledger.claims import Detail
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.state import Reader
from roosync_p2p.ledger.stored import read

__all__ = ["ConfigState", "configs_of", "publish"]


class ConfigState(Record, frozen=True, kw_only=True):
    """One published version: which bytes, when."""

    machine: str
    target: str
    version: int
    sha256: bytes
    size: int
    note: str
    number: int
    time_ms: int


def publish(draft: Draft, body: ConfigPublish) -> Detail:
    """The next version of one target of the author's. Old versions leave the state; they stay in the log."""
    newest_key = f"published/{draft.author}/{body.target}"
    version = 1 + (draft.load(newest_key, int) or 0)
    draft.put(newest_key, version)
    state = ConfigState(
        machine=draft.author,
        target=body.target,
        version=version,
        sha256=body.sha256,
        size=body.size,
        note=body.note,
        number=draft.number,
        time_ms=draft.time_ms,
    )
    draft.put(_key(draft.author, body.target, version), state)
    draft.delete(_key(draft.author, body.target, version - limits.CONFIG_VERSIONS_KEPT))
    draft.tell("config.published", machine=draft.author, target=body.target, version=version)
    return {"machine": draft.author, "target": body.target, "version": version}


def configs_of(reader: Reader) -> Iterator[ConfigState]:
    """All versions that are kept, by machine, target and version."""
    found = (read(value, ConfigState) for _, value in reader.table("config"))
    return iter(sorted(found, key=lambda state: (state.machine, state.target, state.version)))


def _key(machine: str, target: str, version: int) -> str:
    return f"config/{machine}/{target}/{version}"
