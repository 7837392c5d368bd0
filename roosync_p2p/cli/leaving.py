"""``roosync leave`` and ``recover``: the honourable way out, and the last resort."""

from __future__ import annotations

import base64
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.questions import require_yes
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import FiniteRange, Invocation, common_options, read_text_argument
from roosync_p2p.cli.ordering import ordering_options
from roosync_p2p.cli.texts import load_texts
from roosync_p2p.core.text import decode_text
from roosync_p2p.errors import UsageError

__all__ = ["leave", "recover"]


@click.command()
@click.option("--reason", default="", metavar="R", help="Why; the others see it.")
@click.option("--yes", is_flag=True, help="Leave without asking.")
@click.option("--force", is_flag=True, help="Also as the only machine that admits or approves.")
@ordering_options
@common_options
def leave(invocation: Invocation, reason: str, yes: bool, force: bool, ordering: dict[str, Any]) -> None:
    """Leave the fleet for good: this machine's vote goes to others, its claims are freed, its node ends.

    Its home stays as it is. Coming back takes a new home and a new invite.

    \b
    Example:
      roosync leave --reason "replaced by myia-po-2026"
    """
    if not yes:
        require_yes("Leave the fleet for good?", instead="--yes")
    left = SyncClient(invocation.home).leave(reason=reason, force=force, ordering=ordering)
    if invocation.as_json:
        invocation.print_json(left)
    else:
        invocation.print(load_texts(invocation.home).get("left"))


@click.command()
@click.option("--statement", metavar="FILE|-", help="What `roosync-admin recover` made.")
@click.option(
    "--seen",
    type=click.IntRange(1, limits.NUMBER_MAX),
    metavar="EPOCH",
    help="Somebody has looked at what was lost to that epoch: end the warning. The list is kept.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=FiniteRange(0, limits.API_WAIT_S_MAX),
    default=limits.ORDER_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@common_options
def recover(invocation: Invocation, statement: str | None, seen: int | None, timeout_s: float) -> None:
    """Go on without a majority that is lost for good, by the root's statement. The last resort.

    Run it on the machine that the statement names. What was decided elsewhere and is not known here is lost to the
    order, and listed for a person.

    \b
    Examples:
      roosync recover --statement recovery.txt
      roosync recover --seen 1
    """
    if (statement is None) == (seen is None):
        raise UsageError(
            "one of --statement and --seen says what to do",
            code="bad_option",
            remedy="roosync recover --statement recovery.txt",
        )
    if statement is None:
        assert seen is not None
        _see(invocation, seen)
        return
    begun = SyncClient(invocation.home).recover(_statement(statement), timeout_s=timeout_s)
    if invocation.as_json:
        invocation.print_json(begun)
    else:
        invocation.print(load_texts(invocation.home).get("recovered", epoch=begun["epoch"]))


def _see(invocation: Invocation, epoch: int) -> None:
    answer = SyncClient(invocation.home).see_lost(epoch)
    if invocation.as_json:
        invocation.print_json(answer)
    else:
        invocation.print(load_texts(invocation.home).get("lost.seen", count=answer["seen"], epoch=epoch))


def _statement(name: str) -> bytes:
    """The statement in a file, base64.

    Raises:
        UsageError: ``cannot_read``, ``bad_statement``.
    """
    try:
        text = read_text_argument(name, what="the statement") if name == "-" else _read(name)
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:  # binascii.Error is one, and so is what is not ASCII
        raise UsageError(
            f"{name} holds no statement",
            code="bad_statement",
            remedy="take the file that `roosync-admin recover` wrote",
        ) from error


def _read(name: str) -> str:
    try:
        with click.open_file(name, "rb") as file:
            return decode_text(file.read(2 * limits.RECORD_BYTES_MAX), what=name)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error}", code="cannot_read") from error
