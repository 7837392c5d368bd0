"""Randomness as a value: a deterministic generator that an adapter seeds from the operating system.

The core draws boot ids, nonces and jitter from here, so a simulation replays from its seed alone. Not for keys: those
are made by the adapters from the operating system's generator.
"""

from __future__ import annotations

import hashlib

__all__ = ["Entropy"]


class Entropy:
    """A counter-mode SHA-256 generator.

    Args:
        seed: at least 16 bytes; 32 from the operating system in production.
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) < 16:
            raise ValueError("entropy needs a seed of 16 bytes or more")
        self._key = hashlib.sha256(b"roosync/entropy/1" + seed).digest()
        self._counter = 0

    def bytes(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        out = bytearray()
        while len(out) < size:
            out += hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
        return bytes(out[:size])

    def fraction(self) -> float:
        """A number in [0, 1), for jitter."""
        return int.from_bytes(self.bytes(7), "big") / (1 << 56)

    def child(self, label: str) -> Entropy:
        """An independent generator; the same label from the same state gives the same child."""
        return Entropy(hashlib.sha256(self.bytes(32) + label.encode()).digest())
