"""``roosync down``: stops the node and waits until its process is gone."""

from __future__ import annotations

import time

import click

from roosync_p2p import limits
from roosync_p2p.api.processes import process_alive
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options
from roosync_p2p.cli.texts import load_texts
from roosync_p2p.errors import EnvironmentFault, NotRunningError

__all__ = ["down", "stop_node"]

_POLL_S = 0.03


@click.command()
@common_options
def down(invocation: Invocation) -> None:
    """Stop the node; returns when its process is gone.

    \b
    Example:
      roosync down
    """
    pid = stop_node(SyncClient(invocation.home))
    if invocation.as_json:
        invocation.print_json({"stopped": True, "pid": pid})
    else:
        invocation.print(load_texts(invocation.home).get("stopped"))


def stop_node(client: SyncClient) -> int | None:
    """Stops the node and waits until its process is gone; its number, if that is known here.

    Raises:
        NotRunningError: no node runs.
        EnvironmentFault: it still runs after ``limits.DOWN_TIMEOUT_S`` (``not_in_time``).
    """
    pid = client.endpoint().pid
    client.shutdown()
    deadline = time.monotonic() + limits.DOWN_TIMEOUT_S
    while _is_there(client, pid):
        if time.monotonic() > deadline:
            raise EnvironmentFault(
                f"the node was told to stop and still runs after {limits.DOWN_TIMEOUT_S:g} s",
                code="not_in_time",
                remedy=f"look at its log; end process {pid} if it hangs" if pid else "look at its log",
                details={"pid": pid},
            )
        time.sleep(_POLL_S)
    return pid


def _is_there(client: SyncClient, pid: int | None) -> bool:
    """By its process; where that is on another system, by whether the API answers."""
    if pid is not None:
        return process_alive(pid)
    try:
        client.status()
    except NotRunningError:
        return False
    except EnvironmentFault:
        return True  # it hung up in the middle: on its way
    return True
