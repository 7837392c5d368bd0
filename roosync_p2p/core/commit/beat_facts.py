"""What a heartbeat says of the commit log."""

from __future__ import annotations

import dataclasses
from typing import Self

from roosync_p2p.core.commit.durable import Durable

__all__ = ["BeatFacts"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BeatFacts:
    """How far this node is, durably.

    Attributes:
        size, digest: the newest applied commit number, and the digest of the state after it.
        mark: the same at the last multiple of 256.
        rules: the newest version of the rules that this program can apply.
        store: the id of this life of the store; empty before it takes part.
        epoch: of the commit log; the numbers above are numbers of that epoch.
        on_battery: whether this computer runs on battery.
    """

    size: int | None = None
    digest: bytes | None = None
    mark: tuple[int, bytes] | None = None
    rules: int = 1
    store: bytes = b""
    epoch: int = 0
    on_battery: bool = False

    @classmethod
    def of(
        cls, durable: Durable, mark: tuple[int, bytes] | None, *, store: bytes, rules: int, on_battery: bool
    ) -> Self:
        """What is durable, with the mark if that is."""
        return cls(
            size=durable.number,
            digest=durable.digest,
            mark=mark if mark is not None and mark[0] <= durable.number else None,
            rules=rules,
            store=store,
            epoch=durable.epoch,
            on_battery=on_battery,
        )
