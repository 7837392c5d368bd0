"""``roosync up``: the node in the foreground. Reads the node package, imported when called."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from roosync_p2p.api.start_log import record_failed_start, started
from roosync_p2p.api.terminal import Invocation, common_options
from roosync_p2p.core.settings import parse_host_port
from roosync_p2p.errors import EnvironmentFault, InputFault, RoosyncError, UsageError

__all__ = ["up"]


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Accept links here instead of [node] listen.")
@click.option("--peer", "peers", multiple=True, metavar="HOST:PORT", help="Dial this node too (repeatable).")
@click.option("--no-mdns", is_flag=True, help="Do not look for nodes on the LAN.")
@click.option("--folder", metavar="DIR", help="The shared folder, instead of [folder] path.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Write this file when links and API are open."
)
@common_options
def up(
    invocation: Invocation,
    listen: str | None,
    peers: tuple[str, ...],
    no_mdns: bool,
    folder: str | None,
    ready_file: Path | None,
) -> int:
    """Run the node in the foreground; prints `ready` when it is.

    Ctrl-C or `roosync down` stops it in good order.

    \b
    Examples:
      roosync up
      roosync up --peer wss://203.0.113.7:47600 --no-mdns
      roosync up --folder "G:/My Drive/.shared-state"
    """
    _check_addresses("--listen", [listen] if listen is not None else [])
    _check_addresses("--peer", peers)
    # loaded only here: every other command of this tool does without node and web server
    from roosync_p2p.api.server import serve  # noqa: PLC0415
    from roosync_p2p.node.run import READY, run_node  # noqa: PLC0415

    try:
        return run_node(
            invocation.home,
            listen=listen,
            peers=peers,
            mdns=False if no_mdns else None,
            folder=folder,
            ready_file=ready_file,
            serve_api=serve,
            say=_say(invocation, ready=READY),
        )
    except RoosyncError as error:
        if error.code != "home_in_use":  # the node that holds the home runs well
            record_failed_start(invocation.home, error)
        raise


def _say(invocation: Invocation, *, ready: str) -> Callable[[str], None]:
    """Prints what the node says, as long as somebody reads it: a node does not end with its terminal's pipe."""

    def say(text: str) -> None:
        if text == ready:
            started(invocation.home)
        with contextlib.suppress(click.exceptions.Exit, EnvironmentFault):
            (invocation.progress if invocation.as_json else invocation.print)(text)

    return say


def _check_addresses(option: str, addresses: Iterable[str]) -> None:
    """Before anything is opened.

    Raises:
        UsageError: one of them is no HOST:PORT.
    """
    for address in addresses:
        try:
            parse_host_port(address, key=option)
        except InputFault as fault:
            raise UsageError(fault.message, code="bad_address", remedy="an address is HOST:PORT") from fault
