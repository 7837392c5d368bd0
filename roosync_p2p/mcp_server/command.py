"""``roosync mcp`` and ``roosync-mcp``: the MCP server, and putting it into the configuration of agents.

The SDK is imported only when a server is run: it takes half a second, and it is an extra.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import click

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.api.terminal import Invocation, common_options, run_tool, safe_block
from roosync_p2p.errors import EnvironmentFault, UsageError

__all__ = ["main", "mcp"]

_CLIENTS = click.Choice(["claude", "roo"])
_LEASE_S_MAX = 24 * 3600
_SDK_MAJOR = 2  # the versions before and after have other names
_INSTALL = 'pip install "roosync-p2p[mcp]"'


@click.command()
@click.option("--http", is_flag=True, help="One server for all agents of this computer, on loopback.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Where, with --http. [default: [mcp] port]")
@click.option(
    "--workspace", metavar="W", help="The workspace. [default: ROOSYNC_WORKSPACE_ID, else the agent's folder]"
)
@click.option(
    "--lease",
    default=f"{limits.MCP_LEASE_S:g}s",
    envvar="ROOSYNC_MCP_LEASE",
    show_default=True,
    metavar="TIME",
    help="A killed agent is gone from `machines` after this.",
)
@click.option("--with-parent", is_flag=True, hidden=True, help="With --http: end when standard input ends.")
@click.option("--install", type=_CLIENTS, help="Put the server into the agent's configuration.")
@click.option("--uninstall", type=_CLIENTS, help="Take it out again.")
@click.option("--project", is_flag=True, help="In this directory's configuration instead of the user's.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@common_options
def mcp(
    invocation: Invocation,
    http: bool,
    port: int | None,
    workspace: str | None,
    lease: str,
    with_parent: bool,
    install: str | None,
    uninstall: str | None,
    project: bool,
    dry_run: bool,
) -> int:
    """Serve messages, claims and decisions to a coding agent, by the Model Context Protocol.

    Agents start it themselves, once it is installed for them.

    \b
    Examples:
      roosync mcp --install claude
      roosync mcp --install roo --dry-run
      roosync mcp --install claude --http
      roosync mcp
    """
    if install is not None and uninstall is not None:
        raise UsageError("--install and --uninstall exclude each other")
    if install is not None:
        _require_sdk()  # an agent would only see that its server ends
    if install is not None or uninstall is not None:
        from roosync_p2p.mcp_server.installing import change_clients  # noqa: PLC0415 - not needed for serving

        change_clients(
            invocation,
            str(install or uninstall),
            remove=uninstall is not None,
            http=http,
            port=port,
            workspace=workspace,
            project=project,
            dry_run=dry_run,
        )
        return 0
    if project or dry_run:
        raise UsageError("--project and --dry-run are for --install and --uninstall")
    lease_s = parse_duration_s(lease, longest_s=_LEASE_S_MAX)
    _require_sdk()
    return _serve(invocation, http=http, port=port, workspace=workspace, lease_s=lease_s, with_parent=with_parent)


def _serve(
    invocation: Invocation, *, http: bool, port: int | None, workspace: str | None, lease_s: float, with_parent: bool
) -> int:
    home: Path = invocation.home
    if not http:
        from roosync_p2p.mcp_server.stdio import run_stdio  # noqa: PLC0415 - costs half a second

        return run_stdio(home, workspace=workspace, lease_s=lease_s)
    from roosync_p2p.api.mcp_door import mcp_settings  # noqa: PLC0415 - only here
    from roosync_p2p.mcp_server.http import run_http  # noqa: PLC0415 - as above

    return run_http(
        home,
        port=mcp_settings(home).port if port is None else port,
        lease_s=lease_s,
        with_parent=with_parent,
        say=lambda text: invocation.progress(safe_block(text)),
    )


def _require_sdk() -> None:
    """The SDK is an extra, because it brings 25 packages.

    Raises:
        EnvironmentFault: ``no_mcp``: it is not installed.
    """
    try:
        major = int(importlib.metadata.version("mcp").partition(".")[0])
    except importlib.metadata.PackageNotFoundError as error:
        raise EnvironmentFault("the MCP server is not installed", code="no_mcp", remedy=_INSTALL) from error
    if major != _SDK_MAJOR:
        raise EnvironmentFault(
            f"the SDK of the MCP server is there in version {major}, and version {_SDK_MAJOR} is used here",
            code="no_mcp",
            remedy=_INSTALL,
        )


def main() -> int:
    """The console script."""
    return run_tool(mcp)


if __name__ == "__main__":
    raise SystemExit(main())
