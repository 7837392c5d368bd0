"""Asking for a passphrase at the terminal, the same way in both tools. Quick to import.

It is normalised (NFC), because one keyboard composes "é" and another does not.
"""

from __future__ import annotations

import sys
import unicodedata
from typing import Final

import click

from roosync_p2p.errors import InputFault

__all__ = ["PASSPHRASE_FILE", "ask_passphrase", "encode_passphrase", "require_terminal"]

PASSPHRASE_FILE: Final = "ROOSYNC_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable


def ask_passphrase(prompt: str, *, twice: bool, whose: str, remedy: str) -> str:
    """What a person types, not shown; asked on standard error, so that output stays clean.

    Raises:
        InputFault: there is no terminal to ask at (``passphrase_needed``).
    """
    require_terminal(whose, remedy=remedy)
    again = "Again" if twice else False
    asked = click.prompt(prompt, hide_input=True, confirmation_prompt=again, default="", show_default=False, err=True)
    return str(asked)


def require_terminal(whose: str, *, remedy: str) -> None:
    """Returns if there is somebody to ask.

    Raises:
        InputFault: ``passphrase_needed``.
    """
    if not sys.stdin.isatty():
        raise InputFault(
            f"{whose} passphrase is needed, and there is no terminal to ask at; nothing was changed",
            code="passphrase_needed",
            remedy=remedy,
        )


def encode_passphrase(passphrase: str) -> bytes:
    """Its bytes, the same from every keyboard."""
    return unicodedata.normalize("NFC", passphrase).encode()
