"""Asking a person to agree, at the terminal and nowhere else. Quick to import."""

from __future__ import annotations

import sys

import click

from roosync_p2p.errors import InputFault

__all__ = ["require_yes"]


def require_yes(question: str, *, instead: str) -> None:
    """Returns if the person says yes; asked on standard error, so that output stays clean.

    Args:
        instead: the option that answers for a script.

    Raises:
        InputFault: they say no (``not_confirmed``), or nobody can be asked (``confirmation_needed``).
    """
    if not sys.stdin.isatty():
        raise InputFault(
            "this has to be confirmed, and there is no terminal to ask at; nothing was changed",
            code="confirmation_needed",
            remedy=f"run this in a terminal, or give {instead}",
        )
    if not click.confirm(question, err=True):
        raise InputFault("not confirmed; nothing was changed", code="not_confirmed")
