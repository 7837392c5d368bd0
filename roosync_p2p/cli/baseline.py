"""``roosync baseline`` and ``policy``: what the fleet holds in common, changed by decisions."""

from __future__ import annotations

from typing import Any

import click

from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options, read_text_argument, safe_line
from roosync_p2p.cli.decision_text import print_decision, shown_json, stale_line
from roosync_p2p.cli.json_arguments import parse_json_argument, read_json_argument
from roosync_p2p.cli.ordering import ordering_options
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import load_texts
from roosync_p2p.errors import InputFault, UsageError

__all__ = ["baseline", "policy"]

_SEVERITY = click.Choice(("CRITICAL", "IMPORTANT", "WARNING", "INFO"), case_sensitive=False)
_APPROVE = click.option("--approve", is_flag=True, help="Approve it at once, if this machine is the only one that may.")
_LOOKED_AT = click.option(
    "--version", type=click.IntRange(0), metavar="N", help="The version that you edited. [default: the newest]"
)


# --- baseline ----------------------------------------------------------------------------------------------------


@click.group()
def baseline() -> None:
    """The fleet's reference configuration: a JSON document with versions, changed by decisions.

    \b
    Examples:
      roosync baseline show
      roosync baseline set /ci/python '"3.13"'
      roosync baseline diff
    """


@baseline.command("show")
@click.option("--version", type=click.IntRange(0), metavar="N", help="An older one. [default: the newest]")
@common_options
def show_baseline(invocation: Invocation, version: int | None) -> None:
    """The document, in the newest version or another.

    \b
    Examples:
      roosync baseline show
      roosync baseline show --version 3 --json
    """
    document = SyncClient(invocation.home).baseline(version)
    if invocation.as_json:
        invocation.print_json(document)
        return
    texts = load_texts(invocation.home)
    invocation.progress(texts.get("baseline.version", version=document["version"], newest=document["newest"]))
    invocation.print(shown_json(document["document"]) + stale_line(document, texts))


@baseline.command("set")
@click.argument("pointer", required=False)
@click.argument("value", metavar="[JSON]", required=False)
@click.option("--remove", "removes", multiple=True, metavar="POINTER", help="Remove what is there (repeatable).")
@click.option("--patch", metavar="JSON|@FILE|-", help="A merge patch: null removes (RFC 7396).")
@click.option("--document", metavar="JSON|@FILE|-", help="The whole document.")
@_LOOKED_AT
@click.option("--title", default="", metavar="T", help="A line for the list of decisions.")
@click.option("--description", default="", metavar="TEXT", help="Why; - is standard input.")
@click.option(
    "--severity", metavar="CRITICAL|IMPORTANT|WARNING|INFO", type=_SEVERITY, default="INFO", show_default=True
)
@click.option("--manual", is_flag=True, help="A person resolves conflicts, whatever the policy says.")
@_APPROVE
@ordering_options
@common_options
def set_baseline(
    invocation: Invocation,
    pointer: str | None,
    value: str | None,
    removes: tuple[str, ...],
    patch: str | None,
    document: str | None,
    version: int | None,
    title: str,
    description: str,
    severity: str,
    manual: bool,
    approve: bool,
    ordering: dict[str, Any],
) -> None:
    """Propose a change: a value at a POINTER, a merge patch, or the whole document.

    It is a decision; prints it. It counts once it is approved.

    \b
    Examples:
      roosync baseline set /ci/python '"3.13"'
      roosync baseline set --patch '{"ci": {"os": null}}' --title "CI on any system"
      roosync baseline set --document @baseline.json --approve
    """
    proposed = SyncClient(invocation.home).set_baseline(
        _change(pointer, value, removes, patch, document),
        version=version,
        title=title,
        description=read_text_argument(description, what="the description"),
        severity=severity.upper(),
        strategy="manual" if manual else "",
        approve=approve,
        ordering=ordering,
    )
    print_decision(invocation, proposed)


@baseline.command("diff")
@click.argument("old", type=click.IntRange(0), required=False)
@click.argument("new", type=click.IntRange(0), required=False)
@common_options
def diff_baseline(invocation: Invocation, old: int | None, new: int | None) -> None:
    """What version NEW has otherwise than OLD; by default what the newest changed.

    \b
    Examples:
      roosync baseline diff
      roosync baseline diff 3 7
    """
    document = SyncClient(invocation.home).baseline_diff(old, new)
    if invocation.as_json:
        invocation.print_json(document)
        return
    texts = load_texts(invocation.home)
    lines: list[str] = []
    for change in document["changes"]:
        lines.append(safe_line(str(change["pointer"]) or "/"))
        lines += [
            f"  {sign} {_one_line(change[side])}" for sign, side in (("-", "old"), ("+", "new")) if side in change
        ]
    invocation.print("\n".join(lines) if lines else texts.get("baseline.same"))


@baseline.command("history")
@common_options
def baseline_history(invocation: Invocation) -> None:
    """All versions, newest first, each with the decision that made it.

    \b
    Example:
      roosync baseline history
    """
    document = SyncClient(invocation.home).baseline_history()
    if invocation.as_json:
        invocation.print_json(document)
        return
    texts = load_texts(invocation.home)
    rows = [
        [str(row.get(name) or "") for name in ("version", "time", "decision", "author", "title")]
        for row in document["versions"]
    ]
    columns = [texts.get(f"column.{name}") for name in ("version", "time", "decision", "author", "title")]
    invocation.print(table(columns, rows) if rows else texts.get("baseline.none"))


@baseline.command("restore")
@click.argument("restore", metavar="N", type=click.IntRange(0))
@click.option("--reason", default="", metavar="R", help="Why.")
@_LOOKED_AT
@_APPROVE
@ordering_options
@common_options
def restore_baseline(
    invocation: Invocation, restore: int, reason: str, version: int | None, approve: bool, ordering: dict[str, Any]
) -> None:
    """Propose that the baseline be as in version N again.

    \b
    Example:
      roosync baseline restore 3 --reason "the new compiler is broken"
    """
    proposed = SyncClient(invocation.home).restore_baseline(
        restore, version=version, reason=reason, approve=approve, ordering=ordering
    )
    print_decision(invocation, proposed)


# --- policies ----------------------------------------------------------------------------------------------------


@click.group()
def policy() -> None:
    """What the fleet sets for itself: approvals, conflict strategies, times.

    \b
    Examples:
      roosync policy show
      roosync policy set approvals.decisions 2
    """


@policy.command("show")
@click.argument("name", required=False)
@common_options
def show_policies(invocation: Invocation, name: str | None) -> None:
    """Every policy, or one, with its value and its default.

    \b
    Examples:
      roosync policy show
      roosync policy show conflict.strategy
    """
    document = SyncClient(invocation.home).policies()
    if name is not None:
        chosen = [row for row in document["policies"] if row["name"] == name]
        if not chosen:
            raise InputFault(f"there is no policy {name}", code="unknown_policy", remedy="roosync policy show")
        document = {**document, "policies": chosen}
    if invocation.as_json:
        invocation.print_json(document)
        return
    texts = load_texts(invocation.home)
    rows = [
        [str(row["name"]), _one_line(row["value"]), _one_line(row["default"]), str(row["meaning"])]
        for row in document["policies"]
    ]
    columns = [texts.get(f"column.{column}") for column in ("name", "value", "default", "meaning")]
    invocation.print(table(columns, rows))


@policy.command("set")
@click.argument("name")
@click.argument("value", metavar="[JSON]", required=False)
@click.option("--default", "back", is_flag=True, help="Back to the default.")
@click.option("--reason", default="", metavar="R", help="Why.")
@_APPROVE
@ordering_options
@common_options
def set_policy(
    invocation: Invocation,
    name: str,
    value: str | None,
    back: bool,
    reason: str,
    approve: bool,
    ordering: dict[str, Any],
) -> None:
    """Propose another value; a decision, for issuers and approvers.

    \b
    Examples:
      roosync policy set approvals.decisions 2
      roosync policy set conflict.strategy '{"*": "manual", "config:ci.json": "auto-remote"}'
      roosync policy set decisions.expire_days --default
    """
    if (value is None) is not back:
        raise UsageError("give a value, or --default", remedy="see `roosync policy show`")
    said = () if value is None else (parse_json_argument(value, what=f"the value of {name}"),)
    proposed = SyncClient(invocation.home).set_policy(name, *said, reason=reason, approve=approve, ordering=ordering)
    print_decision(invocation, proposed)


# --- helpers -----------------------------------------------------------------------------------------------------


def _change(
    pointer: str | None, value: str | None, removes: tuple[str, ...], patch: str | None, document: str | None
) -> dict[str, Any]:
    """What the options say, as the API takes it.

    Raises:
        UsageError: nothing, or several things at once.
    """
    if (pointer is None) is not (value is None):
        raise UsageError("a POINTER needs a value", remedy="roosync baseline set /ci/python '\"3.13\"'")
    placed = pointer is not None or bool(removes)
    if sum((placed, patch is not None, document is not None)) != 1:
        raise UsageError("what changes? a POINTER with a value or --remove, --patch, or --document")
    if patch is not None:
        return {"patch": read_json_argument(patch, what="the patch")}
    if document is not None:
        return {"document": read_json_argument(document, what="the document")}
    actions: list[dict[str, Any]] = []
    if pointer is not None and value is not None:
        said = parse_json_argument(value, what="the value")
        actions.append({"op": "set", "resource": f"baseline:fleet#{pointer}", "value": said})
    actions += [{"op": "remove", "resource": f"baseline:fleet#{removed}"} for removed in removes]
    return {"actions": actions}


def _one_line(value: object) -> str:
    return " ".join(shown_json(value).split())
