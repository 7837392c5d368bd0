"""``roosync log``, ``pending``, ``voters`` and ``clock``: the one order of the fleet, and who decides it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import EXIT_FAILED, EXIT_NOT_IN_TIME, EXIT_OK, Invocation, common_options, safe_line
from roosync_p2p.cli.ordering import ordering_options
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import Texts, load_texts
from roosync_p2p.errors import UsageError

__all__ = ["clock", "log", "pending", "voters"]

_FOLLOW_WAIT_S = 600.0  # one question of --follow; then it asks again
_ID_SHOWN = 16  # digits of an id that people see


@click.command()
@click.option("--from", "first", type=click.IntRange(1), metavar="N", help="From this number on. [default: the newest]")
@click.option("--limit", type=click.IntRange(1, limits.LOG_PAGE_MAX), default=50, show_default=True)
@click.option("--follow", is_flag=True, help="Go on with what is decided from now on, until Ctrl-C.")
@common_options
def log(invocation: Invocation, first: int | None, limit: int, follow: bool) -> None:
    """What was decided, in the one order, with its outcome.

    With --follow and --json: one entry a line.

    \b
    Examples:
      roosync log
      roosync log --from 1 --limit 100
      roosync log --follow
    """
    client, texts = SyncClient(invocation.home), load_texts(invocation.home)
    if follow:
        _follow(invocation, client, first, limit)
        return
    document = client.log(first, limit=limit)
    if invocation.as_json:
        invocation.print_json(document)
    else:
        entries = document["entries"]
        invocation.print(_render_log(entries, texts) if entries else texts.get("log.empty"))


@click.command()
@click.argument("entry", metavar="[ID]", required=False)
@click.option("--cancel", is_flag=True, help="Take the request back.")
@ordering_options
@common_options
def pending(invocation: Invocation, entry: str | None, cancel: bool, ordering: dict[str, Any]) -> int:
    """What this machine asked for and is not decided yet, and what it waits for.

    With ID, which may be shortened: what became of that request. Exit code 0 accepted, 1 refused, 4 not decided.

    \b
    Examples:
      roosync pending
      roosync pending 3f2a1c9d
      roosync pending 3f2a1c9d --cancel
    """
    client, texts = SyncClient(invocation.home), load_texts(invocation.home)
    if cancel:
        return _cancel(invocation, client, entry, ordering)
    if entry is None:
        document = client.pending()
        if invocation.as_json:
            invocation.print_json(document)
        else:
            invocation.print(_render_pending(document, texts))
        return EXIT_OK
    request = client.pending_request(entry)
    if invocation.as_json:
        invocation.print_json(request)
    else:
        invocation.print(_render_request(request, texts))
    if request["state"] == "pending":
        return EXIT_NOT_IN_TIME
    return EXIT_OK if request["outcome"]["accepted"] else EXIT_FAILED


@click.group(invoke_without_command=True)
@click.pass_context
@common_options
def voters(invocation: Invocation, context: click.Context) -> None:
    """Who decides the order of the fleet: its voters, and which of them leads.

    \b
    Examples:
      roosync voters
      roosync voters prefer myia-ai-01 myia-web1
    """
    if context.invoked_subcommand is not None:
        return
    document = SyncClient(invocation.home).voters()
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(_render_voters(document, load_texts(invocation.home)))


@voters.command("prefer")
@click.argument("machines", nargs=-1)
@click.option("--approve", is_flag=True, help="Approve it at once, if this machine is the only one that may.")
@ordering_options
@common_options
def prefer_voters(invocation: Invocation, machines: tuple[str, ...], approve: bool, ordering: dict[str, Any]) -> None:
    """Propose who should rather vote; nobody: the fleet chooses by itself.

    It is a decision; once it is approved, whoever leads acts on it.

    \b
    Example:
      roosync voters prefer myia-ai-01 myia-web1
    """
    from roosync_p2p.cli.decision_text import print_decision  # noqa: PLC0415 - no other command here needs it

    proposed = SyncClient(invocation.home).prefer_voters(machines, approve=approve, ordering=ordering)
    print_decision(invocation, proposed)


@click.group()
def clock() -> None:
    """This computer's clock, which the order gets its times from while this machine leads.

    \b
    Example:
      roosync clock accept
    """


@clock.command("accept")
@common_options
def accept_clock(invocation: Invocation) -> None:
    """Vouch for this computer's clock, when it is the only one and far from the newest time in the log.

    \b
    Example:
      roosync clock accept
    """
    accepted = SyncClient(invocation.home).accept_clock()
    if invocation.as_json:
        invocation.print_json(accepted)
    else:
        invocation.print(load_texts(invocation.home).get("clock.accepted"))


# --- doing it ----------------------------------------------------------------------------------------------------


def _follow(invocation: Invocation, client: SyncClient, first: int | None, limit: int) -> None:
    document = client.log(first, limit=limit)
    while True:
        for entry in document["entries"]:
            if invocation.as_json:
                invocation.print_json_line(entry)
            else:
                invocation.print(_line(entry))
            first = entry["number"] + 1
        document = client.log(first or document["size"] + 1, limit=limits.LOG_PAGE_MAX, wait_s=_FOLLOW_WAIT_S)


def _cancel(invocation: Invocation, client: SyncClient, entry: str | None, ordering: dict[str, Any]) -> int:
    if entry is None:
        raise UsageError("--cancel needs the ID of a request", remedy="see `roosync pending`")
    cancelled = client.cancel_request(entry, secret=os.environ.get("ROOSYNC_SESSION") or None, ordering=ordering)
    if invocation.as_json:
        invocation.print_json(cancelled)
    else:
        invocation.print(load_texts(invocation.home).get("pending.cancelled", id=safe_line(entry)))
    return EXIT_OK


# --- for people --------------------------------------------------------------------------------------------------


def _render_log(entries: Sequence[dict[str, Any]], texts: Texts) -> str:
    columns = [texts.get(f"column.{name}") for name in ("number", "time", "kind", "author", "id", "outcome")]
    return table(columns, [_cells(entry) for entry in entries])


def _line(entry: dict[str, Any]) -> str:
    return safe_line("  ".join(_cells(entry)))


def _cells(entry: dict[str, Any]) -> list[str]:
    outcome = entry["outcome"]
    return [
        str(entry["number"]),
        str(entry["time"]),
        str(entry["kind"]),
        str(entry["author"] or ""),
        str(entry["id"] or "")[:_ID_SHOWN],
        "ok" if outcome["accepted"] else str(outcome["reason"]),
    ]


def _render_pending(document: dict[str, Any], texts: Texts) -> str:
    rows = [[str(row["id"])[:_ID_SHOWN], str(row["kind"]), str(row["asked_at"])] for row in document["pending"]]
    if not rows:
        return texts.get("pending.empty")
    columns = [texts.get(f"column.{name}") for name in ("id", "kind", "time")]
    waits = texts.get("pending.waits", what=safe_line(str(document["waits_for"])))
    return f"{table(columns, rows)}\n{waits}"


def _render_request(request: dict[str, Any], texts: Texts) -> str:
    kind = safe_line(str(request["kind"]))
    if request["state"] == "pending":
        return f"{kind}: " + texts.get("pending.waits", what=safe_line(str(request["waits_for"])))
    outcome, number = request["outcome"], request["commit_number"]
    if outcome["accepted"]:
        return f"{kind}: " + texts.get("pending.accepted", number=number)
    return f"{kind}: " + texts.get("pending.refused", number=number, reason=safe_line(str(outcome["reason"])))


def _render_voters(document: dict[str, Any], texts: Texts) -> str:
    leader = document["leader"]
    rows = [
        [
            str(row["machine"]),
            texts.word("machine", str(row["state"])),
            "*" if row in document["voters"] else "",
            "*" if row["machine"] == leader else "",
            "*" if row["machine"] in document["preferred"] else "",
        ]
        for row in (*document["voters"], *document["learners"])
    ]
    columns = [texts.get(f"column.{name}") for name in ("machine", "state", "votes", "leads", "preferred")]
    led = safe_line(leader) if leader else texts.get("voters.nobody")
    head = texts.get("voters.head", leader=led, term=document["term"], size=document["size"])
    return f"{head}\n\n{table(columns, rows)}"
