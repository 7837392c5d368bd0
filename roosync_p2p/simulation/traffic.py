"""What a simulated machine sends and receives, in numbers."""

from __future__ import annotations

import dataclasses

__all__ = ["Traffic"]


@dataclasses.dataclass(slots=True)
class Traffic:
    """Frames that went one way."""

    frames: int = 0
    size_bytes: int = 0

    def count(self, frame: bytes) -> None:
        """One more."""
        self.frames += 1
        self.size_bytes += len(frame)
