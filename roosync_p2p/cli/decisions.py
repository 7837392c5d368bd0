"""``roosync decision``: from a proposal to what became of it on every machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options, read_text_argument
from roosync_p2p.api.workspace import find_workspace
from roosync_p2p.cli.decision_text import print_decision, render_decision, render_decisions
from roosync_p2p.cli.json_arguments import typed_actions
from roosync_p2p.cli.ordering import ordering_options
from roosync_p2p.cli.texts import load_texts

__all__ = ["decision"]

_SEVERITY = click.Choice(("CRITICAL", "IMPORTANT", "WARNING", "INFO"), case_sensitive=False)
_STATES = (
    *("pending", "approved", "in_progress", "applied", "archived", "rejected"),
    *("failed", "rolled_back", "superseded", "conflicted", "expired"),
)
_AS = click.option("--as", "person", metavar="PERSON", help="In a person's name: asks for their passphrase.")
_NOTE = click.option("--note", default="", metavar="N", help="A line that stands beside it.")
_REVISION = click.option("--revision", metavar="HASH", help="Only if this is the text. [default: as it is now]")
_ID = click.argument("name", metavar="ID")


@click.group()
def decision() -> None:
    """Propose, approve and follow decisions of the fleet.

    A decision is proposed, approved by whoever may, then applied by each machine that it is for.

    \b
    Examples:
      roosync decision propose "Python 3.13" --target all --set config:ci.json#/python '"3.13"'
      roosync decision list --state pending
      roosync decision show D12
      roosync decision approve D12
    """


@decision.command()
@click.argument("title")
@click.option("--description", default="", metavar="TEXT", help="Why, and what else to know; - is standard input.")
@click.option(
    "--severity",
    metavar="CRITICAL|IMPORTANT|WARNING|INFO",
    type=_SEVERITY,
    default="INFO",
    show_default=True,
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="MACHINE|all",
    default=("all",),
    show_default="all",
    help="Who applies it (repeatable).",
)
@click.option("--set", "sets", type=(str, str), multiple=True, metavar="RESOURCE JSON", help="Set a value.")
@click.option("--merge", "merges", type=(str, str), multiple=True, metavar="RESOURCE JSON", help="Merge an object.")
@click.option("--remove", "removes", multiple=True, metavar="RESOURCE", help="Remove it.")
@click.option("--put", "puts", type=(str, str), multiple=True, metavar="RESOURCE FILE", help="Put a file there.")
@click.option("--run", "runs", type=(str, str), multiple=True, metavar="RESOURCE NAME", help="Run a named action.")
@click.option("--actions", "more", metavar="JSON|@FILE|-", help="More actions, as a JSON array.")
@click.option("--based-on", type=click.IntRange(0), metavar="N", help="The commit that you had seen. [default: newest]")
@click.option("--manual", is_flag=True, help="A person resolves conflicts, whatever the policy says.")
@click.option("--expires", metavar="TIME", help="Without approval it is over then: 12h, 7d. [default: the policy's]")
@click.option("--approve", is_flag=True, help="Approve it at once, if this machine is the only one that may.")
@click.option("--revises", metavar="ID", help="Another text of this decision; approvals of the old one are void.")
@click.option("--workspace", metavar="W", help="[default: ROOSYNC_WORKSPACE_ID, else the repository's name]")
@ordering_options
@common_options
def propose(
    invocation: Invocation,
    title: str,
    description: str,
    severity: str,
    targets: tuple[str, ...],
    sets: tuple[tuple[str, str], ...],
    merges: tuple[tuple[str, str], ...],
    removes: tuple[str, ...],
    puts: tuple[tuple[str, str], ...],
    runs: tuple[tuple[str, str], ...],
    more: str | None,
    based_on: int | None,
    manual: bool,
    expires: str | None,
    approve: bool,
    revises: str | None,
    workspace: str | None,
    ordering: dict[str, Any],
) -> None:
    """Propose a decision; prints it with its id.

    A RESOURCE is type:path#/json/pointer, such as config:ci.json#/python. What overlaps with another decision in other
    words is shown as a conflict.

    \b
    Examples:
      roosync decision propose "Python 3.13" --target all --set config:ci.json#/python '"3.13"'
      roosync decision propose "New hook" --target myia-po-2023 --put file:hooks/pre-push pre-push
    """
    actions = typed_actions(sets=sets, merges=merges, removes=removes, puts=puts, runs=runs, more=more)
    proposed = SyncClient(invocation.home).propose(
        title,
        actions,
        description=read_text_argument(description, what="the description"),
        severity=severity.upper(),
        targets=targets,
        based_on=based_on,
        strategy="manual" if manual else "",
        expires_s=parse_duration_s(expires, longest_s=int(limits.DECISION_EXPIRES_S_MAX)) if expires else None,
        approve=approve,
        workspace=find_workspace(workspace, os.environ, Path.cwd()),
        revises=revises,
        ordering=ordering,
    )
    print_decision(invocation, proposed)


@decision.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those.")
@click.option("--limit", type=click.IntRange(1, limits.LOG_PAGE_MAX), default=100, show_default=True)
@common_options
def list_decisions(invocation: Invocation, state: str | None, limit: int) -> None:
    """Decisions, newest first.

    \b
    Examples:
      roosync decision list
      roosync decision list --state pending
    """
    document = SyncClient(invocation.home).decisions(state=state, limit=limit)
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(render_decisions(document, load_texts(invocation.home)))


@decision.command()
@_ID
@common_options
def show(invocation: Invocation, name: str) -> None:
    """A decision with everything that an approver has to see.

    \b
    Example:
      roosync decision show D12
    """
    document = SyncClient(invocation.home).decision(name)
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(render_decision(document["decisions"][0], load_texts(invocation.home)))


@decision.command()
@_ID
@_NOTE
@_AS
@_REVISION
@ordering_options
@common_options
def approve(
    invocation: Invocation, name: str, note: str, person: str | None, revision: str | None, ordering: dict[str, Any]
) -> None:
    """Say yes to a decision as it stands.

    Once the fleet knows persons only they approve: --as PERSON asks for the passphrase on the terminal and signs here;
    no node sees it.

    \b
    Examples:
      roosync decision approve D12
      roosync decision approve D12 --as jsboige
    """
    client = SyncClient(invocation.home)
    revision, signed = _verdict(invocation, client, name, "approve", person, revision)
    approved = client.approve(name, revision=revision, note=note, person=signed, ordering=ordering)
    print_decision(invocation, approved)


@decision.command()
@_ID
@click.option("--reason", default="", metavar="R", help="Why; its author is told.")
@_AS
@_REVISION
@ordering_options
@common_options
def reject(
    invocation: Invocation, name: str, reason: str, person: str | None, revision: str | None, ordering: dict[str, Any]
) -> None:
    """Say no to a decision that waits.

    \b
    Example:
      roosync decision reject D12 --reason "breaks the release"
    """
    client = SyncClient(invocation.home)
    revision, signed = _verdict(invocation, client, name, "reject", person, revision)
    rejected = client.reject(name, revision=revision, note=reason, person=signed, ordering=ordering)
    print_decision(invocation, rejected)


@decision.command()
@_ID
@click.option("--keep", required=True, metavar="ID", help="The decision that counts: this one, the other, or a third.")
@_NOTE
@_AS
@_REVISION
@ordering_options
@common_options
def resolve(
    invocation: Invocation,
    name: str,
    keep: str,
    note: str,
    person: str | None,
    revision: str | None,
    ordering: dict[str, Any],
) -> None:
    """Say which decision counts, of those in conflict.

    \b
    Examples:
      roosync decision resolve D15 --keep D15
      roosync decision resolve D15 --keep D12 --as jsboige
    """
    client = SyncClient(invocation.home)
    revision, signed = _verdict(invocation, client, name, f"resolve {keep}", person, revision)
    resolved = client.resolve(name, keep, revision=revision, note=note, person=signed, ordering=ordering)
    print_decision(invocation, resolved)


@decision.command()
@_ID
@click.option("--done", "step", flag_value="applied", help="This machine has applied it.")
@click.option("--failed", "step", flag_value="failed", help="It did not work here; it may be tried again.")
@click.option("--final", is_flag=True, help="With --failed: trying again is of no use.")
@click.option("--backup", is_flag=True, help="There is a backup, so it can be rolled back.")
@_NOTE
@ordering_options
@common_options
def apply(
    invocation: Invocation,
    name: str,
    step: str | None,
    final: bool,
    backup: bool,
    note: str,
    ordering: dict[str, Any],
) -> None:
    """Begin to apply a decision on this machine, then say how it ended.

    Without an option it is begun, and what there is to do is shown; of two that begin one is refused.

    \b
    Examples:
      roosync decision apply D12
      roosync decision apply D12 --done --backup
      roosync decision apply D12 --failed --note "no such file here"
    """
    applied = SyncClient(invocation.home).apply_decision(
        name, step or "start", note=note, final=final, backup=backup, ordering=ordering
    )
    print_decision(invocation, applied)


@decision.command()
@_ID
@click.option("--on", "machines", multiple=True, metavar="MACHINE", help="Only there (repeatable). [default: all]")
@click.option("--reason", default="", metavar="R", help="Why.")
@click.option("--done", "step", flag_value="rolled_back", help="This machine has undone it.")
@click.option("--failed", "step", flag_value="failed", help="It could not be undone here.")
@_NOTE
@ordering_options
@common_options
def rollback(
    invocation: Invocation,
    name: str,
    machines: tuple[str, ...],
    reason: str,
    step: str | None,
    note: str,
    ordering: dict[str, Any],
) -> None:
    """Want a decision undone: by an approver, or by a machine for itself.

    Each machine restores its own backup and then says so with --done.

    \b
    Examples:
      roosync decision rollback D12 --reason "breaks the release"
      roosync decision rollback D12 --on myia-web1
      roosync decision rollback D12 --done
    """
    client = SyncClient(invocation.home)
    if step is None:
        undone = client.roll_back(name, machines=machines, reason=reason, ordering=ordering)
    else:
        undone = client.apply_decision(name, step, note=note, ordering=ordering)
    print_decision(invocation, undone)


@decision.command()
@_ID
@ordering_options
@common_options
def archive(invocation: Invocation, name: str, ordering: dict[str, Any]) -> None:
    """Put a finished decision away; it stays in the log.

    \b
    Example:
      roosync decision archive D12
    """
    print_decision(invocation, SyncClient(invocation.home).archive_decision(name, ordering=ordering))


def _verdict(
    invocation: Invocation, client: SyncClient, name: str, verdict: str, person: str | None, revision: str | None
) -> tuple[str, dict[str, object] | None]:
    """What is said yes or no to, shown first; and the person's signature over it, where one is wanted."""
    if person is None and revision is not None:
        return revision, None
    shown = client.decision(name)["decisions"][0]
    chosen = revision or str(shown["revision"])
    if person is None:
        return chosen, None
    from roosync_p2p.cli.persons import sign_verdict  # noqa: PLC0415 - costs start-up time

    def show_it() -> None:
        click.echo(render_decision(shown, load_texts(invocation.home)) + "\n", err=True)

    signed = sign_verdict(invocation.home, person, verdict, {**shown, "revision": chosen}, show=show_it)
    return chosen, signed
