"""What is wrong with a key of ``settings.toml``, said so that its author finds it."""

from __future__ import annotations

import difflib

from roosync_p2p.errors import InputFault

__all__ = ["bad_setting", "unknown_setting"]

_REMEDY = "correct settings.toml; `roosync settings list` shows every key"


def bad_setting(key: str, what: str, allowed: str) -> InputFault:
    """A value that a key cannot have."""
    return InputFault(
        f"{key} {what}; allowed: {allowed}",
        code="bad_setting",
        remedy=_REMEDY,
        details={"key": key, "allowed": allowed},
    )


def unknown_setting(shown: str, key: str, known: tuple[str, ...], noun: str) -> InputFault:
    """A name that is none, with the closest one that is."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"the closest {noun} is {close[0]}" if close else f"known: {', '.join(known)}"
    return InputFault(
        f"{shown} is not a {noun} of settings.toml; {hint}",
        code="bad_setting",
        remedy=_REMEDY,
        details={"key": key, "closest": close[0] if close else None, "allowed": list(known)},
    )
