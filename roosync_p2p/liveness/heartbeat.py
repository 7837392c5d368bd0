"""The heartbeat: a small record by which a node says that it lives and how far it is (docs/protocol/liveness.md §1).

Signed by its machine, latest wins by (start, counter), never stored. The caller has checked the signature and that
the signer is ``machine``; here are only the schema and its bounds.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from roosync_p2p import limits
from roosync_p2p.codec.records import Record
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import parse_machine_id

__all__ = ["Health", "Heartbeat", "Version", "precedence", "validate"]

Version = tuple[int, int]  # (start, counter) of a heartbeat: the greater is the newer

_CHAINS: Final = frozenset({"ledger", "mail"})
_BOOT_BYTES: Final = 16
_STORE_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_INT_MAX: Final = 2**63 - 1


class Health(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a node knows of its own condition.

    Attributes:
        loop_lag_ms: by how much its event loop is late.
        disk_lag_ms: for how long its oldest write has been waiting to be durable.
        clock_offset_ms: how far its wall clock is ahead of the fleet's (negative: behind), None when not measured.
        folder_lag_ms: how late the shared folder is, None when not measured.
    """

    loop_lag_ms: int = 0
    disk_lag_ms: int = 0
    clock_offset_ms: int | None = None
    folder_lag_ms: int | None = None


class Heartbeat(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A node lives. The counter advances by one with each heartbeat of a start; see :func:`validate` for bounds.

    Attributes:
        machine: its author.
        start: start number of the node, greater at each start of a store.
        boot: the 16 random bytes of this start.
        counter: number of this heartbeat within the start.
        wall_ms: the author's wall clock when it was made.
        interval_ms: the cadence that the author keeps.
        addresses: where it listens, ``host:port``, best first.
        heads: (chain, incarnation, sequence) of the author's own chains.
        commit_size: entries of the commit log that it applied, None without a commit log.
        commit_digest: digest of the state after them.
        commit_mark: number and digest at the last multiple of 256, which nodes of different progress can compare.
        store: the id of this life of its store, which is its place in the consensus; empty before it is known.
        on_battery: whether it runs on battery.
        epoch: of the commit log that it follows; ``commit_size`` and digests are of that.
        rules: version of the rules it applies entries by.
        version: program version, for people.
        awake_since_ms: wall time since when it runs without having slept.
        health: its own condition.
        state: ``up``, or ``leaving`` in the last one before an orderly stop.
    """

    machine: str
    start: int
    boot: bytes
    counter: int
    wall_ms: int
    interval_ms: int
    addresses: tuple[str, ...] = ()
    heads: tuple[tuple[str, int, int], ...] = ()
    commit_size: int | None = None
    commit_digest: bytes | None = None
    rules: int = 1
    version: str = ""
    awake_since_ms: int = 0
    health: Health = Health()
    state: Literal["up", "leaving"] = "up"
    commit_mark: tuple[int, bytes] | None = None
    store: bytes = b""
    on_battery: bool = False
    epoch: int = 0


def precedence(heartbeat: Heartbeat) -> Version:
    """What heartbeats of one machine are ordered by."""
    return heartbeat.start, heartbeat.counter


def validate(heartbeat: Heartbeat) -> Heartbeat:
    """The same heartbeat, once every field is within its bound.

    Raises:
        MalformedError: a field is out of bounds; the code is ``bad_machine_id``, ``bad_heartbeat`` or, for lists that
            are too long, ``oversized``; ``details["field"]`` names it.
    """
    if parse_machine_id(heartbeat.machine) != heartbeat.machine:
        raise MalformedError(f"{heartbeat.machine!r} is not in lower case", code="bad_machine_id")
    _validate_numbers(heartbeat)
    _validate_bytes(heartbeat)
    _validate_texts(heartbeat)
    _validate_heads(heartbeat)
    _validate_health(heartbeat)
    return heartbeat


def _validate_numbers(heartbeat: Heartbeat) -> None:
    _within(heartbeat, "start", heartbeat.start, 1, _INT_MAX)
    _within(heartbeat, "counter", heartbeat.counter, 0, _INT_MAX)
    _within(heartbeat, "wall_ms", heartbeat.wall_ms, 0, limits.WALL_MS_MAX)
    _within(heartbeat, "awake_since_ms", heartbeat.awake_since_ms, 0, limits.WALL_MS_MAX)
    _within(heartbeat, "rules", heartbeat.rules, 0, _INT_MAX)
    _within(heartbeat, "epoch", heartbeat.epoch, 0, limits.NUMBER_MAX)
    _within(heartbeat, "commit_size", heartbeat.commit_size or 0, 0, _INT_MAX)
    interval_min = math.ceil(limits.HEARTBEAT_INTERVAL_S_MIN * 1000)
    _within(heartbeat, "interval_ms", heartbeat.interval_ms, interval_min, int(limits.HEARTBEAT_INTERVAL_S_MAX * 1000))


def _validate_bytes(heartbeat: Heartbeat) -> None:
    if len(heartbeat.boot) != _BOOT_BYTES:
        raise _fault(heartbeat, "boot", f"has {len(heartbeat.boot)} bytes, not {_BOOT_BYTES}")
    if heartbeat.store and len(heartbeat.store) != _STORE_BYTES:
        raise _fault(heartbeat, "store", f"has {len(heartbeat.store)} bytes, not {_STORE_BYTES}")
    if heartbeat.commit_mark is not None:
        _within(heartbeat, "commit_mark", heartbeat.commit_mark[0], 0, _INT_MAX)
        if len(heartbeat.commit_mark[1]) != _DIGEST_BYTES:
            raise _fault(heartbeat, "commit_mark", f"has {len(heartbeat.commit_mark[1])} bytes, not {_DIGEST_BYTES}")
    if heartbeat.commit_digest is not None and len(heartbeat.commit_digest) != _DIGEST_BYTES:
        raise _fault(heartbeat, "commit_digest", f"has {len(heartbeat.commit_digest)} bytes, not {_DIGEST_BYTES}")


def _validate_texts(heartbeat: Heartbeat) -> None:
    if len(heartbeat.version) > limits.VERSION_CHARS_MAX or not heartbeat.version.isprintable():
        raise _fault(heartbeat, "version", f"is not {limits.VERSION_CHARS_MAX} printable characters or fewer")
    _bounded_count(heartbeat, "addresses", len(heartbeat.addresses), limits.ADDRESSES_PER_MACHINE_MAX)
    for address in heartbeat.addresses:
        _validate_address(heartbeat, address)


def _validate_address(heartbeat: Heartbeat, address: str) -> None:
    host, colon, port = address.rpartition(":")
    well_formed = (
        len(address) <= limits.ADDRESS_CHARS_MAX
        and colon
        and host.isprintable()
        and host.strip("[]")
        and not any(character.isspace() for character in host)
        and port.isascii()
        and port.isdecimal()
        and len(port) <= 5
        and 0 < int(port) < 65_536
    )
    if not well_formed:
        raise _fault(heartbeat, "addresses", f"holds {address[:60]!r}, which is not host:port")


def _validate_heads(heartbeat: Heartbeat) -> None:
    _bounded_count(heartbeat, "heads", len(heartbeat.heads), limits.HEARTBEAT_HEADS_MAX)
    for chain, incarnation, sequence in heartbeat.heads:
        if chain not in _CHAINS:
            raise _fault(heartbeat, "heads", f"names the chain {chain[:20]!r}")
        _within(heartbeat, "heads", incarnation, 1, _INT_MAX)
        _within(heartbeat, "heads", sequence, 0, _INT_MAX)
    places = [(chain, incarnation) for chain, incarnation, _ in heartbeat.heads]
    if len(set(places)) != len(places):
        raise _fault(heartbeat, "heads", "names a chain twice")


def _validate_health(heartbeat: Heartbeat) -> None:
    health = heartbeat.health
    _within(heartbeat, "health.loop_lag_ms", health.loop_lag_ms, 0, limits.HEARTBEAT_LAG_MS_MAX)
    _within(heartbeat, "health.disk_lag_ms", health.disk_lag_ms, 0, limits.HEARTBEAT_LAG_MS_MAX)
    _within(heartbeat, "health.folder_lag_ms", health.folder_lag_ms or 0, 0, limits.HEARTBEAT_LAG_MS_MAX)
    clock_offset_ms = health.clock_offset_ms or 0
    _within(heartbeat, "health.clock_offset_ms", clock_offset_ms, -limits.WALL_MS_MAX, limits.WALL_MS_MAX)


def _within(heartbeat: Heartbeat, field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise _fault(heartbeat, field, f"is {value}, not {least} to {most}")


def _bounded_count(heartbeat: Heartbeat, field: str, count: int, most: int) -> None:
    if count > most:
        raise _fault(heartbeat, field, f"has {count} elements, where {most} are allowed", code="oversized")


def _fault(heartbeat: Heartbeat, field: str, what: str, *, code: str = "bad_heartbeat") -> MalformedError:
    return MalformedError(
        f"a heartbeat of {heartbeat.machine}: {field} {what}",
        code=code,
        details={"machine": heartbeat.machine, "field": field},
    )
