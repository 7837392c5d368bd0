"""``roosync demo``: the command; what it shows is in a module of its own, imported when called."""

from __future__ import annotations

import importlib

import click

from roosync_p2p.api.terminal import Invocation, common_options

__all__ = ["demo"]


@click.command()
@click.option("--machines", type=click.IntRange(2, 9), default=3, show_default=True, help="How many nodes.")
@click.option("--keep", is_flag=True, help="Keep the temporary directory and say where it is.")
@common_options
def demo(invocation: Invocation, machines: int, keep: bool) -> int:
    """See a fleet at work on this computer, in a temporary directory and on loopback only.

    Real nodes are founded, joined, sent messages, killed and brought back. Your own home is not touched.

    \b
    Example:
      roosync demo
    """
    code = importlib.import_module("roosync_p2p.cli.demo").run_demo(invocation, machines=machines, keep=keep)
    assert isinstance(code, int)
    return code
