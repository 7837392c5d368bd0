"""What the tools take, and what they give, as records; the JSON Schemas that clients see are derived from them.

Whatever an agent says is parsed against these before anything is asked of the node; bounds of texts are the node's.
"""

from __future__ import annotations

import copy
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.errors import UsageError

__all__ = [
    "BaselineAsked",
    "BaselineGiven",
    "ClaimAsked",
    "ClaimGiven",
    "DecisionAsked",
    "DecisionGiven",
    "ManageAsked",
    "ManageGiven",
    "MessageGiven",
    "ReadAsked",
    "ReadGiven",
    "SendAsked",
    "SendGiven",
    "StatusAsked",
    "StatusGiven",
    "WaitAsked",
    "WaitGiven",
    "parse_arguments",
    "schema_of",
]

R = TypeVar("R", bound=msgspec.Struct)

Priority = Literal["LOW", "MEDIUM", "HIGH", "URGENT"]
_Seconds = Annotated[float, Meta(ge=0, le=limits.API_WAIT_S_MAX)]
_Limit = Annotated[int, Meta(ge=1, le=limits.INBOX_PAGE_MAX, description="How many at most.")]
_MessageId = Annotated[str, Meta(description="A message id, such as msg-20260115T091530-a1b2c3.")]
_Time = Annotated[str, Meta(description="A date (2026-01-15), an RFC 3339 time, or how long ago (2d).")]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool does not know, it refuses, naming it."""


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """Fields may be added, never renamed."""


# --- what they take -----------------------------------------------------------------------------------------------


class SendAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_send``."""

    action: Annotated[
        Literal["send", "reply", "amend"],
        Meta(description="send (to, subject, body), reply (message_id, body) or amend (message_id, new_content)."),
    ] = "send"
    to: Annotated[
        str | list[str] | None,
        Meta(description="machine, machine:workspace, all:workspace, all, or several of them."),
    ] = None
    subject: str | None = None
    body: Annotated[str | None, Meta(description="Markdown.")] = None
    message_id: Annotated[str | None, Meta(description="The message that is answered or amended.")] = None
    new_content: Annotated[str | None, Meta(description="The new body of an amended message.")] = None
    reason: Annotated[str | None, Meta(description="Why it is amended.")] = None
    priority: Priority | None = None
    type: Annotated[
        str | None,
        Meta(description="text, task, question, answer, status, error_report, handover or another word."),
    ] = None
    tags: list[str] | None = None
    thread_id: str | None = None
    expires: Annotated[str | None, Meta(description="Nobody need read it later than this from now: 2h, 1d.")] = None
    ack_within: Annotated[
        str | None, Meta(description="You are told if somebody has not acted on or declined it by then: 30m.")
    ] = None
    escalate: Annotated[str | None, Meta(description="An address that is told as well; with ack_within.")] = None
    idempotency_key: Annotated[str | None, Meta(description="The same key sends the same message once.")] = None
    attachments: Annotated[
        list[str] | None,
        Meta(description="Absolute paths of files on this computer, up to 64 MiB each, that come along."),
    ] = None
    private: Annotated[
        bool | None,
        Meta(
            description="Sealed: only the recipients' machines and this one can read it. A reply is as the message is."
        ),
    ] = None


class ReadAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_read``."""

    mode: Annotated[
        Literal["inbox", "message", "thread", "search"],
        Meta(description="inbox, message (message_id), thread (thread_id or message_id) or search (query)."),
    ] = "inbox"
    message_id: str | None = None
    mark_as_read: Annotated[bool, Meta(description="Of mode message: its sender is told that it was read.")] = False
    thread_id: str | None = None
    query: Annotated[
        str | None, Meta(description="Words in subject, body and tags, without case and accents; word* for any ending.")
    ] = None
    status: Annotated[
        Literal["unread", "read", "archived", "all"] | None, Meta(description="Of the inbox; unread by default.")
    ] = None
    sender: Annotated[str | None, Meta(description="Only what this machine sent.")] = None
    priority: Priority | None = None
    type: str | None = None
    tag: str | None = None
    since: _Time | None = None
    until: _Time | None = None
    limit: _Limit = 20
    before: Annotated[str | None, Meta(description="Continues a page: its `next`.")] = None


class ManageAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_manage``."""

    action: Annotated[
        Literal["mark_read", "take", "archive", "keep", "unkeep", "ack", "decline", "bulk_mark_read", "bulk_archive"],
        Meta(
            description="take: you work on it, and no other session does until you have read it; ack: it was acted on; "
            "decline: nobody here will; keep: retention leaves it alone. "
            "The bulk ones take message_ids, or filters over the inbox."
        ),
    ]
    message_id: str | None = None
    message_ids: Annotated[list[str], Meta(max_length=limits.MCP_BULK_MAX)] | None = None
    note: Annotated[str, Meta(description="What was done, or why not; with ack and decline.")] = ""
    sender: Annotated[str | None, Meta(description="Bulk: only what this machine sent.")] = None
    priority: Priority | None = None
    type: str | None = None
    tag: str | None = None
    before_date: Annotated[_Time | None, Meta(description="Bulk: only what was sent before.")] = None
    subject_contains: Annotated[str | None, Meta(description="Bulk: only these subjects, without case.")] = None


class WaitAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_wait``."""

    timeout_s: Annotated[_Seconds, Meta(description="How long; more than your client gives a call is no use.")] = (
        limits.MCP_WAIT_S
    )
    only_new: Annotated[bool, Meta(description="true: unread messages that are there already do not end the wait.")] = (
        False
    )
    sender: Annotated[str | None, Meta(description="Only for what this machine sends.")] = None
    type: str | None = None
    thread_id: str | None = None
    priority: Priority | None = None


class StatusAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_status``."""

    machine: Annotated[str | None, Meta(description="Only this machine.")] = None
    state: Annotated[
        Literal["online", "suspect", "offline", "leaving", "unknown", "conflict"] | None,
        Meta(description="Only machines in this state."),
    ] = None


class ClaimAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_claim``."""

    action: Annotated[
        Literal["claim", "renew", "release", "check", "list", "steal"],
        Meta(description="check takes name and token; list takes nothing; steal is for approvers."),
    ] = "claim"
    name: Annotated[str | None, Meta(description="An issue, a branch, a path: what others would claim, too.")] = None
    token: Annotated[int, Meta(ge=0, description="The fencing token; 0: the one that your session has.")] = 0
    ttl: Annotated[str, Meta(description="How long it is held: 30m, 2h, 1d.")] = "2h"
    note: Annotated[str, Meta(description="What for; others see it.")] = ""
    wait_s: Annotated[_Seconds, Meta(description="If somebody holds it, stand in line so long.")] = 0.0
    queue: Annotated[bool, Meta(description="Stay in line also after this call.")] = False
    reason: Annotated[str, Meta(description="Why it is stolen; its holder is told.")] = ""
    timeout_s: Annotated[_Seconds, Meta(description="For the fleet to decide.")] = limits.ORDER_TIMEOUT_S


class DecisionAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_decision``."""

    action: Annotated[
        Literal["list", "show", "propose", "approve", "reject", "resolve", "apply", "rollback", "archive"],
        Meta(description="apply says what this machine does about it: see step. Nothing is changed on this computer."),
    ] = "list"
    decision_id: Annotated[str | None, Meta(description="Such as D12.")] = None
    state: Annotated[str | None, Meta(description="Of list: pending, approved, in_progress, applied, rejected …")] = (
        None
    )
    limit: Annotated[int, Meta(ge=1, le=limits.LOG_PAGE_MAX)] = 50
    title: str | None = None
    description: str = ""
    severity: Literal["CRITICAL", "IMPORTANT", "WARNING", "INFO"] = "INFO"
    targets: Annotated[list[str] | None, Meta(description="Machines, or all.")] = None
    actions: Annotated[
        list[dict[str, Any]] | None,
        Meta(description="Of propose: each {op: set|merge|remove|file|run, resource: type:path#/pointer, value, …}."),
    ] = None
    strategy: Annotated[str, Meta(description="manual: a conflict waits for a person.")] = ""
    expires: Annotated[str | None, Meta(description="Of propose: it is over if not decided by then: 7d.")] = None
    approve: Annotated[bool, Meta(description="Of propose: approve at once, if this machine may.")] = False
    revision: Annotated[str | None, Meta(description="What was read; by default the one that stands.")] = None
    note: Annotated[str, Meta(description="A comment or reason, beside the verdict or the step.")] = ""
    keep: Annotated[str | None, Meta(description="Of resolve: the decision that counts.")] = None
    step: Annotated[
        Literal["start", "applied", "failed", "rolled_back"],
        Meta(description="Of apply: begin with it, or say how it ended."),
    ] = "start"
    final: Annotated[bool, Meta(description="Of a failure: no retry can help.")] = False
    backup: Annotated[bool, Meta(description="There is a backup, so that it can be rolled back.")] = False
    machines: Annotated[list[str] | None, Meta(description="Of rollback: only there.")] = None
    timeout_s: Annotated[_Seconds, Meta(description="For the fleet to decide.")] = limits.ORDER_TIMEOUT_S


class BaselineAsked(_Asked, frozen=True, kw_only=True):
    """``roosync_baseline``."""

    action: Literal["show", "set", "diff", "history", "restore"] = "show"
    version: Annotated[int, Meta(ge=0, description="Of show, set (what was edited), restore.")] | None = None
    old: Annotated[int, Meta(ge=0)] | None = None
    new: Annotated[int, Meta(ge=0)] | None = None
    patch: Annotated[dict[str, Any] | None, Meta(description="Of set: a merge patch (RFC 7396).")] = None
    document: Annotated[dict[str, Any] | None, Meta(description="Of set: the whole document.")] = None
    actions: Annotated[list[dict[str, Any]] | None, Meta(description="Of set: typed actions.")] = None
    title: str = ""
    description: str = ""
    severity: Literal["CRITICAL", "IMPORTANT", "WARNING", "INFO"] = "INFO"
    strategy: str = ""
    approve: bool = False
    reason: Annotated[str, Meta(description="Of restore.")] = ""
    timeout_s: Annotated[_Seconds, Meta(description="For the fleet to decide.")] = limits.ORDER_TIMEOUT_S


# --- what they give -----------------------------------------------------------------------------------------------


class MessageGiven(_Given, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A message. ``body`` stands in its fence; ``signer`` is null with ``verified`` false."""

    id: str
    sender: str
    to: list[str]
    subject: str
    type: str
    priority: str
    thread_id: str
    status: str
    time: str
    verified: bool
    signer: str | None
    tags: list[str] = []
    in_reply_to: str | None = None
    body: Annotated[str | None, Meta(description="Data written by others, in a fence; not in lists.")] = None
    states: dict[str, str] | None = None


class SendGiven(_Given, frozen=True, kw_only=True):
    """``states``: of each recipient."""

    id: str
    thread_id: str
    states: dict[str, str]
    amended: bool = False


class ReadGiven(_Given, frozen=True, kw_only=True):
    """``next`` continues the page."""

    messages: list[MessageGiven]
    next: str | None = None
    unread: int | None = None
    thread_id: str | None = None
    participants: list[str] | None = None


class ManageGiven(_Given, frozen=True, kw_only=True):
    """``done``: ids. ``more``: the filters find others besides; call again."""

    action: str
    done: list[str]
    more: bool = False


class WaitGiven(_Given, frozen=True, kw_only=True):
    """``arrived`` false: the time was over."""

    arrived: bool
    messages: list[MessageGiven]
    waited_s: float


class StatusGiven(_Given, frozen=True, kw_only=True):
    """As `roosync status --json`, and who you are."""

    machine: str
    state: str
    you: dict[str, Any]
    unread: int
    summary: dict[str, Any]
    machines: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


class ClaimGiven(_Given, frozen=True, kw_only=True):
    """``held``: whether the one that was asked about is yours now, with that token."""

    action: str
    claims: list[dict[str, Any]]
    held: bool | None = None
    stale: bool | None = None


class DecisionGiven(_Given, frozen=True, kw_only=True):
    """Decisions; the changing actions give the decision as it is afterwards."""

    decisions: list[dict[str, Any]]
    as_of: int | None = None
    stale: bool | None = None


class BaselineGiven(_Given, frozen=True, kw_only=True):
    """What the action gives; ``decisions`` has the one that a change proposed."""

    version: int | None = None
    newest: int | None = None
    document: Any = None
    changes: list[dict[str, Any]] | None = None
    versions: list[dict[str, Any]] | None = None
    decisions: list[dict[str, Any]] | None = None
    as_of: int | None = None
    stale: bool | None = None


# --- both ways ----------------------------------------------------------------------------------------------------


def parse_arguments(arguments: object, kind: type[R], *, tool: str) -> R:
    """The arguments of a call.

    Raises:
        UsageError: ``bad_field``, naming the field and what it takes.
    """
    try:
        return msgspec.convert(arguments or {}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{tool} does not take that: {error}",
            code="bad_field",
            remedy=f"{tool} takes: {', '.join(kind.__struct_fields__)}; nothing was done",
        ) from error


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a record, without references: some clients do not follow them."""
    (root,), parts = msgspec.json.schema_components([kind])
    whole: dict[str, Any] = _inlined(root, parts)
    whole.pop("title", None)
    whole.pop("description", None)
    return whole


def _inlined(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(copy.deepcopy(parts[str(node["$ref"]).rpartition("/")[2]]), parts)
        return {key: _inlined(value, parts) for key, value in node.items()}
    if isinstance(node, list):
        return [_inlined(value, parts) for value in node]
    return node
