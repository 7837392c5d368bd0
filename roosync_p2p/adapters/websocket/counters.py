"""What a transport has seen, as numbers that ``status`` and the tests read."""

from __future__ import annotations

import dataclasses

__all__ = ["TransportCounters"]


@dataclasses.dataclass(slots=True, kw_only=True)
class TransportCounters:
    """Counts since the transport was made; they only grow."""

    links_opened: int = 0
    links_closed: int = 0
    handshakes_refused: int = 0
    handshakes_evicted: int = 0
    joins_refused: int = 0
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0  # payload of frames
    bytes_out: int = 0  # payload of frames
    frames_dropped: int = 0  # droppable frames that a slow peer did not take
    links_too_slow: int = 0
    frames_oversize: int = 0
    frames_text: int = 0
    protocol_violations: int = 0  # oversize and text frames included
    accept_errors: int = 0
