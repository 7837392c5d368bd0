"""What the local API takes and gives, as typed records (docs/protocol/api.md §4).

Requests are parsed against these at the gate, bounds included, and an unknown field is an error that names it.
Answers are plain JSON objects of these shapes; fields may be added, never renamed, so nothing checks them on the way
out, and clients ignore what they do not know. The OpenAPI document is derived from both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import parse_address, parse_machine_id, parse_workspace

__all__ = [
    "Certificate",
    "Check",
    "Countersignature",
    "CountersignatureOffer",
    "Doctor",
    "Done",
    "Evidence",
    "Inbox",
    "InboxMessage",
    "InboxRequest",
    "Invite",
    "InviteRequest",
    "IssueRequest",
    "Machine",
    "Machines",
    "Message",
    "Problem",
    "ReadRequest",
    "ReplyRequest",
    "SendRequest",
    "Sent",
    "Status",
    "Summary",
    "Warn",
    "parse_json",
    "parse_values",
]

Priority = Literal["LOW", "MEDIUM", "HIGH", "URGENT"]
_Body = Annotated[str, Meta(max_length=limits.ENTRY_BODY_BYTES_MAX)]  # in characters here; in bytes by the node
_Subject = Annotated[str, Meta(min_length=1, max_length=limits.SUBJECT_CHARS_MAX)]
_Type = Annotated[str, Meta(min_length=1, max_length=limits.TAG_CHARS_MAX)]
_Tag = Annotated[str, Meta(min_length=1, max_length=limits.TAG_CHARS_MAX)]
_Tags = Annotated[tuple[_Tag, ...], Meta(max_length=limits.TAGS_MAX)]
_Thread = Annotated[str, Meta(min_length=1, max_length=limits.THREAD_ID_CHARS_MAX)]
_Key = Annotated[str, Meta(min_length=1, max_length=limits.IDEMPOTENCY_KEY_CHARS_MAX)]
_Recipients = Annotated[tuple[str, ...], Meta(min_length=1, max_length=limits.RECIPIENTS_MAX)]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request: what it does not know, it refuses."""


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: what is added later does not disturb an older reader."""


# --- requests ----------------------------------------------------------------------------------------------------


class SendRequest(_Request, frozen=True, kw_only=True):
    """A message to send. ``workspace`` is the sender's."""

    to: _Recipients
    subject: _Subject
    body: _Body = ""
    type: _Type = "text"
    priority: Priority = "MEDIUM"
    tags: _Tags = ()
    thread_id: _Thread | None = None
    workspace: str | None = None
    idempotency_key: _Key | None = None

    def __post_init__(self) -> None:
        for address in self.to:
            _check(parse_address, address)
        _check_workspace(self.workspace)


class ReplyRequest(_Request, frozen=True, kw_only=True):
    """A reply: thread, recipient and subject follow from the message. ``priority`` None: as the message has it."""

    body: _Body
    type: _Type = "answer"
    priority: Priority | None = None
    tags: _Tags = ()
    workspace: str | None = None
    idempotency_key: _Key | None = None

    def __post_init__(self) -> None:
        _check_workspace(self.workspace)


class ReadRequest(_Request, frozen=True, kw_only=True):
    """Who reads: a workspace, or None for the machine itself."""

    workspace: str | None = None

    def __post_init__(self) -> None:
        _check_workspace(self.workspace)


class InboxRequest(_Request, frozen=True, kw_only=True):
    """Which messages are wanted.

    ``workspaces``: the inboxes to look into, "" being the machine's own; None means all. ``before``: the ``next`` of
    the page before. ``wait_s``: with an empty page, wait this long for a message to arrive.
    """

    status: Literal["unread", "read", "archived", "all"] = "unread"
    workspaces: Annotated[tuple[str, ...], Meta(max_length=limits.RECIPIENTS_MAX)] | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.INBOX_PAGE_MAX)] = 50
    before: Annotated[str, Meta(max_length=200)] | None = None
    sender: str | None = None
    thread_id: _Thread | None = None
    wait_s: Annotated[float, Meta(ge=0, le=limits.API_WAIT_S_MAX)] = 0.0

    def __post_init__(self) -> None:
        for workspace in self.workspaces or ():
            _check_workspace(workspace or None)
        if self.sender is not None:
            _check(parse_machine_id, self.sender)


class InviteRequest(_Request, frozen=True, kw_only=True):
    """A join code for ``machine``, or for any. ``contacts``: host:port besides the node's own addresses."""

    machine: str | None = None
    ttl_s: Annotated[int, Meta(ge=1, le=limits.INVITE_TTL_S_MAX)] = 24 * 3600
    contacts: Annotated[tuple[str, ...], Meta(max_length=limits.ADDRESSES_PER_MACHINE_MAX)] = ()

    def __post_init__(self) -> None:
        if self.machine is not None:
            _check(parse_machine_id, self.machine)


class IssueRequest(_Request, frozen=True, kw_only=True):
    """A certificate request carried by hand, in PEM."""

    request_pem: Annotated[str, Meta(min_length=1, max_length=limits.JOIN_MESSAGE_BYTES_MAX)]


class CountersignatureOffer(_Request, frozen=True, kw_only=True):
    """A signed envelope, base64, that answers :class:`Countersignature`."""

    envelope: Annotated[str, Meta(min_length=1, max_length=2 * limits.RECORD_BYTES_MAX)]


# --- answers -----------------------------------------------------------------------------------------------------


class Evidence(_Answer, frozen=True, kw_only=True):
    """Why a machine is believed to be in its state."""

    path: str  # direct, relayed, folder, none
    via: str | None = None
    age_s: float | None = None


class Machine(_Answer, frozen=True, kw_only=True):
    """One machine as this node sees it."""

    machine: str
    state: str  # online, suspect, offline, leaving, unknown, conflict
    evidence: Evidence
    self: bool = False
    sessions: list[dict[str, Any]] = []
    version: str | None = None
    commit_size: int | None = None
    addresses: list[str] = []


class Machines(_Answer, frozen=True, kw_only=True):
    """The fleet as this node sees it."""

    machines: list[Machine]


class Summary(_Answer, frozen=True, kw_only=True):
    """Counts for the top line; None: does not exist on this node."""

    machines: int
    online: int
    differences: int | None = None
    decisions_pending: int | None = None


class Warn(_Answer, frozen=True, kw_only=True):
    """Something that somebody should look at. ``details``: its facts, for scripts."""

    code: str
    message: str
    remedy: str = ""
    details: dict[str, Any] = {}


class Status(_Answer, frozen=True, kw_only=True):
    """The node's own state."""

    machine: str
    state: str  # synced, behind, diverged, conflict, alone
    last_sync: str | None
    summary: Summary
    fleet: str
    boot_id: str
    version: str
    links: int
    commit: dict[str, Any] | None
    folder: dict[str, Any] | None
    warnings: list[Warn]
    machines: list[Machine]


class Sent(_Answer, frozen=True, kw_only=True):
    """A message that is on this machine's disk, with the state of every recipient."""

    id: str
    thread_id: str
    states: dict[str, str]


class InboxMessage(_Answer, frozen=True, kw_only=True, rename={"sender": "from"}):
    """One line of an inbox. ``signer`` is who signed it, None with ``verified`` false."""

    id: str
    sender: str
    to: list[str]
    subject: str
    type: str
    priority: str
    tags: list[str]
    thread_id: str
    in_reply_to: str | None
    status: str
    time: str
    verified: bool
    signer: str | None


class Inbox(_Answer, frozen=True, kw_only=True):
    """One page; ``next`` continues it."""

    messages: list[InboxMessage]
    next: str | None


class Message(InboxMessage, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A message with its body and the states of its recipients as far as this node knows them."""

    body: str | None
    attachments: list[dict[str, Any]]
    states: dict[str, str]


class Invite(_Answer, frozen=True, kw_only=True):
    """A join code; shown once, kept by nobody."""

    code: str
    machine: str | None
    expires: str


class Certificate(_Answer, frozen=True, kw_only=True):
    """Three certificates in PEM."""

    machine: str
    certificate: str
    issuer: str
    root: str


class Countersignature(_Answer, frozen=True, kw_only=True):
    """What waits for a signature by a key that is not on this node; None: nothing."""

    pending: dict[str, Any] | None


class Check(_Answer, frozen=True, kw_only=True):
    """One finding of the diagnosis. ``severity``: error, warning, info."""

    id: str
    ok: bool
    severity: str
    message: str
    remedy: str = ""


class Doctor(_Answer, frozen=True, kw_only=True):
    """The diagnosis."""

    checks: list[Check]


class Done(_Answer, frozen=True, kw_only=True):
    """It was done."""

    ok: bool = True


class Problem(_Answer, frozen=True, kw_only=True):
    """RFC 9457 problem details with the members of our errors."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    details: dict[str, Any]
    fault: str


# --- the gate ----------------------------------------------------------------------------------------------------

R = TypeVar("R", bound=_Request)


def parse_json(data: bytes, kind: type[R]) -> R:
    """A request from a JSON body; an empty body is an empty object.

    Raises:
        UsageError: codes ``bad_json`` or ``bad_field``, the message naming the field.
    """
    try:
        return msgspec.json.decode(data or b"{}", type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise UsageError(f"the request does not fit: {error}", code="bad_field") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"the request is not JSON: {error}", code="bad_json") from error


def parse_values(values: dict[str, Any], kind: type[R]) -> R:
    """A request from query parameters: texts are converted to the numbers that the fields want.

    Raises:
        UsageError: code ``bad_field``, the message naming the field.
    """
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"the request does not fit: {error}", code="bad_field") from error


def _check(parser: Callable[[str], object], text: str) -> None:
    """Lets a parser of names speak in msgspec's way, which adds the path of the field."""
    try:
        parser(text)
    except MalformedError as error:
        raise ValueError(error.message) from error


def _check_workspace(workspace: str | None) -> None:
    if workspace is not None:
        _check(parse_workspace, workspace)
