"""``roosync up``: the node in the foreground. Reads the node package, imported when called."""

from __future__ import annotations

from pathlib import Path

import click

from roosync_p2p.api.terminal import Invocation, common_options

__all__ = ["up"]


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Accept links here instead of [node] listen.")
@click.option("--peer", "peers", multiple=True, metavar="HOST:PORT", help="Dial this node too (repeatable).")
@click.option("--no-mdns", is_flag=True, help="Do not look for nodes on the LAN.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Write this file when links and API are open."
)
@common_options
def up(
    invocation: Invocation, listen: str | None, peers: tuple[str, ...], no_mdns: bool, ready_file: Path | None
) -> int:
    """Run the node in the foreground; prints `ready` when it is.

    Ctrl-C or `roosync down` stops it in good order.

    \b
    Examples:
      roosync up
      roosync up --peer wss://203.0.113.7:47600 --no-mdns
    """
    # loaded only here: every other command of this tool does without node and web server
    from roosync_p2p.api.server import serve  # noqa: PLC0415
    from roosync_p2p.node.run import run_node  # noqa: PLC0415

    return run_node(
        invocation.home,
        listen=listen,
        peers=peers,
        mdns=False if no_mdns else None,
        ready_file=ready_file,
        serve_api=serve,
        say=invocation.progress if invocation.as_json else invocation.print,
    )
