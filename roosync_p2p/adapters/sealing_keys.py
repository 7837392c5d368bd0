"""The X25519 keys that messages are sealed for, in ``identity/`` beside the machine's key (messages.md §13).

    identity/sealing-<made, ms since 1970>.key      raw, 32 bytes; owner-only

The newest is announced. Older ones open what was sealed for them, and stay as long as something may need them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import explained, this_platform, write_private
from roosync_p2p.errors import EnvironmentFault

__all__ = ["SealingKeys"]

_NAME: Final = re.compile(r"sealing-([0-9]{1,15})\.key")
_RAW: Final = 32


class SealingKeys:
    """The keys of one home. The caller holds the home's lock.

    Raises:
        EnvironmentFault: one is open to others (``permissions_too_open``), or no such key (``identity_corrupt``).
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "identity"
        self._made: dict[bytes, int] = {}
        self._keys: dict[bytes, X25519PrivateKey] = {}
        for path in sorted(self._folder.glob("sealing-*.key")):
            found = _NAME.fullmatch(path.name)
            if found is not None:
                this_platform().check(path)
                self._take(_read(path), int(found[1]))

    def private(self, public: bytes) -> X25519PrivateKey | None:
        """The private key of a public one, if it is here."""
        return self._keys.get(public)

    def current(self, now_ms: int) -> bytes:
        """The public key to be announced; a new one is made when the newest is ``SEALING_KEY_LIFE_S`` old.

        Raises:
            EnvironmentFault: it cannot be written; nothing was changed.
        """
        newest = max(self._made, key=lambda public: self._made[public], default=None)
        # A key from the future is of a clock that was wrong: it is as good as any.
        if newest is not None and now_ms - self._made[newest] < limits.SEALING_KEY_LIFE_S * 1000:
            return newest
        raw = X25519PrivateKey.generate().private_bytes_raw()
        write_private(self._path(now_ms), raw)
        return self._take(raw, now_ms)

    def forget(self, now_ms: int, needed: Collection[bytes]) -> int:
        """Removes keys that were replaced longer ago than any message lives and that nothing here needs; how many.

        Args:
            needed: public keys that messages with a body are sealed for.
        """
        newest_first = sorted(self._made, key=lambda public: -self._made[public])
        gone = [
            public
            for newer, public in itertools.pairwise(newest_first)
            if now_ms - self._made[newer] > limits.SEALING_KEY_KEPT_S * 1000 and public not in needed
        ]
        for public in gone:
            path = self._path(self._made[public])
            with explained(path, "remove"):
                path.unlink(missing_ok=True)
            del self._made[public], self._keys[public]
        return len(gone)

    def _take(self, raw: bytes, made_ms: int) -> bytes:
        key = X25519PrivateKey.from_private_bytes(raw)
        public = key.public_key().public_bytes_raw()
        self._keys[public], self._made[public] = key, made_ms
        return public

    def _path(self, made_ms: int) -> Path:
        return self._folder / f"sealing-{made_ms}.key"


def _read(path: Path) -> bytes:
    with explained(path, "read"), path.open("rb") as file:
        raw = file.read(_RAW + 1)
    if len(raw) != _RAW:
        raise EnvironmentFault(
            f"{path} is no key of 32 bytes",
            code="identity_corrupt",
            remedy="move it away: what was sealed for it cannot be read without a backup of it",
            details={"path": str(path)},
        )
    return raw
