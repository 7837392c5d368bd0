"""``roosync claim``, ``claims`` and ``session``: one holder for a name, and who holds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.api.speaker import caller_of_command
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import EXIT_FAILED, EXIT_OK, FiniteRange, Invocation, common_options, safe_line
from roosync_p2p.api.workspace import find_workspace
from roosync_p2p.cli.ordering import DefaultGroup, ordering_options
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import Texts, load_texts
from roosync_p2p.errors import UsageError

__all__ = ["claim", "claims", "session"]

_TTL = click.option("--ttl", default="2h", show_default=True, metavar="TIME", help="How long it is held: 30m, 2h, 1d.")
_WORKSPACE = click.option(
    "--workspace", metavar="W", help="The workspace. [default: ROOSYNC_WORKSPACE_ID, else the repository's name]"
)


# --- sessions ----------------------------------------------------------------------------------------------------


@click.group()
def session() -> None:
    """Open or close a session, which tells two agents of one machine apart.

    \b
    Example:
      export ROOSYNC_SESSION=$(roosync session open)
      roosync session close
    """


@session.command("open")
@click.option("--client", default="", metavar="NAME", help="What the program is called.")
@click.option("--lease", default="12h", show_default=True, metavar="TIME", help="It ends when unused for so long.")
@_WORKSPACE
@common_options
def open_session(invocation: Invocation, client: str, lease: str, workspace: str | None) -> None:
    """Open a session; prints its secret, alone and only once.

    Put it into ROOSYNC_SESSION: what the session claims, only who has the secret can renew or release.

    \b
    Example:
      export ROOSYNC_SESSION=$(roosync session open)
    """
    opened = SyncClient(invocation.home).open_session(
        workspace=_workspace(workspace),
        client=client,
        lease_s=parse_duration_s(lease, longest_s=int(limits.SESSION_LEASE_S_MAX)),
    )
    if invocation.as_json:
        invocation.print_json(opened)
    else:
        invocation.print(opened["secret"])


@session.command("close")
@ordering_options
@common_options
def close_session(invocation: Invocation, ordering: dict[str, Any]) -> None:
    """Close the session in ROOSYNC_SESSION; what it holds is released.

    \b
    Example:
      roosync session close
    """
    secret = os.environ.get("ROOSYNC_SESSION")
    if not secret:
        raise UsageError("ROOSYNC_SESSION is not set", code="no_session", remedy="it holds what `session open` printed")
    closed = SyncClient(invocation.home).close_session(secret, ordering=ordering)
    if invocation.as_json:
        invocation.print_json(closed)
    else:
        texts = load_texts(invocation.home)
        names = ", ".join(map(safe_line, closed["released"]))
        invocation.print(texts.get("session.closed_with", names=names) if names else texts.get("session.closed"))


# --- claims ------------------------------------------------------------------------------------------------------


@click.group(cls=DefaultGroup, default="take")
def claim() -> None:
    """Hold a name that nobody else holds: an issue, a branch, a file.

    Prints the token; a later holder has a larger one.

    \b
    Examples:
      roosync claim issue-482 --note "rewriting the parser"
      roosync claim issue-482 --wait 600
      roosync claim renew issue-482 --ttl 2h
      roosync claim release issue-482
    """


@claim.command("take")
@click.argument("name")
@_TTL
@click.option("--note", default="", metavar="N", help="What for; others see it.")
@click.option(
    "--wait",
    "wait_s",
    type=FiniteRange(0, limits.API_WAIT_S_MAX),
    default=0.0,
    metavar="SECONDS",
    help="If somebody holds it, stand in line so long.",
)
@click.option("--queue", is_flag=True, help="Stay in line, also when this command has ended.")
@_WORKSPACE
@ordering_options
@common_options
def take_claim(
    invocation: Invocation,
    name: str,
    ttl: str,
    note: str,
    wait_s: float,
    queue: bool,
    workspace: str | None,
    ordering: dict[str, Any],
) -> None:
    """Hold NAME; the word `take` may be left out.

    If somebody holds it: exit code 1, with who, since when and until when. With --queue: exit code 4 and the place in
    line; the same command later says whether it was granted.

    \b
    Examples:
      roosync claim issue-482
      roosync claim take check --ttl 30m
    """
    taken = SyncClient(invocation.home).claim(
        name,
        ttl_s=_ttl_s(ttl),
        note=note,
        wait_s=wait_s,
        queue=queue,
        workspace=_workspace(workspace),
        speaker=caller_of_command(),
        ordering=ordering,
    )
    _print_claim(invocation, taken)


@claim.command("check")
@click.argument("name")
@click.argument("token", type=click.IntRange(1))
@common_options
def check_claim(invocation: Invocation, name: str, token: int) -> int:
    """Whether NAME is held with TOKEN now: exit code 0 or 1; 4 if nobody can tell.

    \b
    Example:
      roosync claim check issue-482 17 && git push
    """
    checked = SyncClient(invocation.home).check_claim(name, token)
    if invocation.as_json:
        invocation.print_json(checked)
    else:
        key = "claim.held" if checked["held"] else "claim.not_held"
        invocation.print(load_texts(invocation.home).get(key, name=safe_line(name), token=token))
    return EXIT_OK if checked["held"] else EXIT_FAILED


@claim.command("renew")
@click.argument("name")
@click.argument("token", type=click.IntRange(1), required=False)
@_TTL
@_WORKSPACE
@ordering_options
@common_options
def renew_claim(
    invocation: Invocation,
    name: str,
    token: int | None,
    ttl: str,
    workspace: str | None,
    ordering: dict[str, Any],
) -> None:
    """Hold NAME so long from now on, in the session that claimed it.

    \b
    Example:
      roosync claim renew issue-482 --ttl 1h
    """
    renewed = SyncClient(invocation.home).renew_claim(
        name,
        token or 0,
        ttl_s=_ttl_s(ttl),
        workspace=_workspace(workspace),
        speaker=caller_of_command(),
        ordering=ordering,
    )
    _print_claim(invocation, renewed)


@claim.command("release")
@click.argument("name")
@click.argument("token", type=click.IntRange(1), required=False)
@_WORKSPACE
@ordering_options
@common_options
def release_claim(
    invocation: Invocation, name: str, token: int | None, workspace: str | None, ordering: dict[str, Any]
) -> None:
    """Hold NAME no more, or leave the line for it, in the session that claimed it.

    \b
    Example:
      roosync claim release issue-482
    """
    released = SyncClient(invocation.home).release_claim(
        name, token or 0, workspace=_workspace(workspace), speaker=caller_of_command(), ordering=ordering
    )
    if invocation.as_json:
        invocation.print_json(released)
    else:
        invocation.print(load_texts(invocation.home).get("claim.released", name=safe_line(name)))


@claim.command("steal")
@click.argument("name")
@_TTL
@click.option("--note", default="", metavar="N", help="What for; others see it.")
@click.option("--reason", default="", metavar="R", help="Why it is taken; its holder is told.")
@_WORKSPACE
@ordering_options
@common_options
def steal_claim(
    invocation: Invocation,
    name: str,
    ttl: str,
    note: str,
    reason: str,
    workspace: str | None,
    ordering: dict[str, Any],
) -> None:
    """Take NAME from whoever holds it, as an approver.

    \b
    Example:
      roosync claim steal issue-482 --reason "its agent crashed"
    """
    stolen = SyncClient(invocation.home).steal_claim(
        name,
        ttl_s=_ttl_s(ttl),
        note=note,
        reason=reason,
        workspace=_workspace(workspace),
        speaker=caller_of_command(),
        ordering=ordering,
    )
    _print_claim(invocation, stolen)


@click.command()
@common_options
def claims(invocation: Invocation) -> None:
    """Every claim that is held, and how many wait for it.

    \b
    Example:
      roosync claims
    """
    document = SyncClient(invocation.home).claims()
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(_render_claims(document, load_texts(invocation.home)))


# --- for people --------------------------------------------------------------------------------------------------


def _print_claim(invocation: Invocation, taken: dict[str, Any]) -> None:
    """The token alone on standard output, because scripts want it; the rest beside it."""
    if invocation.as_json:
        invocation.print_json(taken)
        return
    texts = load_texts(invocation.home)
    invocation.progress(texts.get("claim.until", name=taken["name"], until=taken["expires_at"]))
    invocation.print(str(taken["token"]))


def _render_claims(document: dict[str, Any], texts: Texts) -> str:
    if not document["claims"]:
        return texts.get("claims.empty") + _stale(document, texts)
    columns = [texts.get(f"column.{name}") for name in ("name", "holder", "token", "since", "until", "waiting", "note")]
    rows = [
        [
            str(held["name"]),
            ":".join(filter(None, (held["holder"]["machine"], held["holder"]["workspace"]))),
            str(held["token"]),
            str(held["acquired_at"]),
            str(held["expires_at"]),
            str(len(held.get("queue") or []) or ""),
            str(held.get("note") or ""),
        ]
        for held in document["claims"]
    ]
    return table(columns, rows) + _stale(document, texts)


def _stale(document: dict[str, Any], texts: Texts) -> str:
    return "\n" + texts.get("stale", number=document["as_of"]) if document.get("stale") else ""


# --- helpers -----------------------------------------------------------------------------------------------------


def _ttl_s(text: str) -> int:
    return parse_duration_s(text, longest_s=limits.CLAIM_TTL_MS_MAX // 1000)


def _workspace(option: str | None) -> str | None:
    return find_workspace(option, os.environ, Path.cwd())
