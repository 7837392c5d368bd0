"""The state of the ledger: a map of keys to canonical bytes, and its digest (docs/protocol/ledger.md §1).

    digest = the sum, modulo 2**256, of SHA-256(length of key (4 bytes, big endian) · key · value) over all pairs

A sum does not depend on the order of its terms, so a change costs the digest of what it replaces and of what it puts.
A state is immutable. A new one shares with the old one all that is equal: a key belongs to a table, the word before
its first ``/``, a table has ``SWEEP_SLICES`` slices by the key's CRC-32, and a change copies one slice and the list of
them. Which slice a key is in is part of the protocol, because old claims are swept slice by slice.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, Protocol

from roosync_p2p import limits

__all__ = ["REGISTER", "Reader", "State", "pair_hash"]

REGISTER: Final = "register"  # changes with the register; what was derived from that is kept as long as it stands

_MODULUS_MASK: Final = 2**256 - 1
_LENGTH_BYTES: Final = 4

_Slice = dict[str, bytes]


class Reader(Protocol):
    """What rules read: a state, or a draft of the next one."""

    def get(self, key: str) -> bytes | None:
        """The value of a key."""
        ...

    def table(self, name: str) -> Iterator[tuple[str, bytes]]:
        """The pairs whose key begins with ``name/``, by key."""
        ...


def pair_hash(key: str, value: bytes) -> int:
    """What one pair adds to the digest."""
    name = key.encode()
    return int.from_bytes(sha256(len(name).to_bytes(_LENGTH_BYTES, "big") + name + value).digest(), "big")


class State:
    """An immutable map of keys to canonical bytes.

    Attributes:
        memo: what was derived from the register, by whom it concerns; shared by states with the same register.
    """

    __slots__ = ("_sum", "_tables", "memo")

    def __init__(self) -> None:
        self._tables: dict[str, list[_Slice]] = {}
        self._sum = 0
        self.memo: dict[str, object] = {}

    @classmethod
    def load(cls, pairs: Iterable[tuple[str, bytes]]) -> State:
        """The state of these pairs, with its digest computed anew; the caller compares it with the one it stored."""
        state = cls()
        for key, value in dict(pairs).items():
            slices = state._tables.setdefault(key.partition("/")[0], [])
            if not slices:
                slices.extend({} for _ in range(limits.SWEEP_SLICES))
            slices[_slice_of(key)][key] = value
            state._sum += pair_hash(key, value)
        state._sum &= _MODULUS_MASK
        return state

    @property
    def digest(self) -> bytes:
        """32 bytes; equal states have equal digests."""
        return self._sum.to_bytes(32, "big")

    def get(self, key: str) -> bytes | None:
        """The value of a key."""
        slices = self._tables.get(key.partition("/")[0])
        return None if slices is None else slices[_slice_of(key)].get(key)

    def table(self, name: str) -> Iterator[tuple[str, bytes]]:
        """The pairs of a table, by key."""
        slices = self._tables.get(name, ())
        return iter(sorted(pair for part in slices for pair in part.items()))

    def part(self, name: str, number: int) -> list[tuple[str, bytes]]:
        """One of the ``SWEEP_SLICES`` parts of a table, by key."""
        slices = self._tables.get(name)
        return sorted(slices[number % limits.SWEEP_SLICES].items()) if slices else []

    def count(self, name: str) -> int:
        """How many pairs a table has."""
        return sum(map(len, self._tables.get(name, ())))

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All pairs, by key."""
        return iter(sorted(pair for slices in self._tables.values() for part in slices for pair in part.items()))

    def with_changes(self, changes: Mapping[str, bytes | None]) -> State:
        """The state with these values put, and the keys of None removed. Costs what changed."""
        new = State()
        new._tables = tables = dict(self._tables)
        new.memo = {} if REGISTER in changes else self.memo
        copied: set[str] = set()
        total = self._sum
        for key, value in changes.items():
            name = key.partition("/")[0]
            if name not in copied:
                copied.add(name)
                tables[name] = tables[name].copy() if name in tables else [{}] * limits.SWEEP_SLICES
            total += _put(tables[name], key, value)
        new._sum = total & _MODULUS_MASK
        return new

    def __len__(self) -> int:
        return sum(map(self.count, self._tables))

    def __eq__(self, other: object) -> bool:
        return dict(self.items()) == dict(other.items()) if isinstance(other, State) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # compared in tests; nothing is kept by state

    def __repr__(self) -> str:
        return f"State({len(self)} pairs, digest={self.digest.hex()[:16]})"


def _slice_of(key: str) -> int:
    return zlib.crc32(key.encode()) % limits.SWEEP_SLICES


def _put(slices: list[_Slice], key: str, value: bytes | None) -> int:
    """Puts or removes one pair in a copied list of shared slices; what that adds to the sum."""
    at = _slice_of(key)
    part = slices[at].copy()
    slices[at] = part
    old = part.pop(key, None)
    difference = 0 if old is None else -pair_hash(key, old)
    if value is not None:
        part[key] = value
        difference += pair_hash(key, value)
    return difference
