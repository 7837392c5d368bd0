"""Histories by hand: ``[answered("a", Set(value="x"), Accepted(version=1), 0, 1), lost("b", Get(), 2)]``."""

from __future__ import annotations

from typing import Any

from tests.linearizability.history import Operation

__all__ = ["answered", "lost"]


def answered(process: str, request: Any, answer: Any, call_s: float, return_s: float, *, key: str = "k") -> Operation:
    """One that was answered."""
    return Operation(process=process, key=key, request=request, answer=answer, call_s=call_s, return_s=return_s)


def lost(process: str, request: Any, call_s: float, *, key: str = "k") -> Operation:
    """One without an answer."""
    return Operation(process=process, key=key, request=request, answer=None, call_s=call_s)
