"""What commands share that ask for something in the order: how long to wait, retries, fences. Quick to import."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import click

from roosync_p2p import limits
from roosync_p2p.api.terminal import FiniteRange

__all__ = ["DefaultGroup", "ordering_options"]

P = ParamSpec("P")
T = TypeVar("T")


def ordering_options(command: Callable[..., T]) -> Callable[..., T]:
    """Adds ``--timeout``, ``--idempotency-key`` and ``--fence``; the command gets them as ``ordering``."""

    @click.option(
        "--timeout",
        "timeout_s",
        type=FiniteRange(0, limits.API_WAIT_S_MAX),
        default=limits.ORDER_TIMEOUT_S,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait until it is decided; then exit code 4.",
    )
    @click.option("--idempotency-key", metavar="KEY", help="The same key is the same request, made once.")
    @click.option(
        "--fence", type=(str, int), metavar="NAME TOKEN", help="Only while this claim is held with this token."
    )
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> T:
        ordering: dict[str, object] = {"timeout_s": kwargs.pop("timeout_s")}
        key, fence = kwargs.pop("idempotency_key"), kwargs.pop("fence")
        if key is not None:
            ordering["idempotency_key"] = key
        if fence is not None:
            ordering["fence"] = {"name": fence[0], "token": fence[1]}
        return command(*args, ordering=ordering, **kwargs)

    return wrapped


class DefaultGroup(click.Group):
    """A group with one command that need not be named: ``claim NAME`` is ``claim take NAME``.

    Args:
        default: its name.
    """

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts the name before what does not begin with one."""
        if args and args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx):
            args = [self.default, *args]
        return super().parse_args(ctx, args)
