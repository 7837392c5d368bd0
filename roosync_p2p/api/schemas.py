"""What the local API takes and gives about the node, its machines and its messages (docs/protocol/api.md §4).

What it takes and gives about claims, decisions and the commit log is in ``ledger_schemas``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.api.records import Answer, Request, VoicedRequest, check_name, check_workspace
from roosync_p2p.clock import parse_rfc3339
from roosync_p2p.ids import parse_address, parse_machine_id

__all__ = [
    "AttachmentRequest",
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
    "RenewCertificateRequest",
    "RenewedCertificate",
    "ReplyRequest",
    "RotatedKey",
    "SendRequest",
    "Sent",
    "Status",
    "Summary",
    "Warn",
]

Priority = Literal["LOW", "MEDIUM", "HIGH", "URGENT"]
_Body = Annotated[str, Meta(max_length=limits.ENTRY_BODY_BYTES_MAX)]  # in characters here; in bytes by the node
_Subject = Annotated[str, Meta(min_length=1, max_length=limits.SUBJECT_CHARS_MAX)]
_Type = Annotated[str, Meta(min_length=1, max_length=limits.TAG_CHARS_MAX)]
_Tag = Annotated[str, Meta(min_length=1, max_length=limits.TAG_CHARS_MAX)]
_Tags = Annotated[tuple[_Tag, ...], Meta(max_length=limits.TAGS_MAX)]
_Thread = Annotated[str, Meta(min_length=1, max_length=limits.THREAD_ID_CHARS_MAX)]
_Key = Annotated[str, Meta(min_length=1, max_length=limits.IDEMPOTENCY_KEY_CHARS_MAX)]
_Life = Annotated[float, Meta(gt=0, le=limits.MESSAGE_LIFE_S_MAX)]
_Attachments = Annotated[tuple["AttachmentRequest", ...], Meta(max_length=limits.ATTACHMENTS_MAX)]
_Recipients = Annotated[tuple[str, ...], Meta(min_length=1, max_length=limits.RECIPIENTS_MAX)]


# --- requests ----------------------------------------------------------------------------------------------------


class AttachmentRequest(Request, frozen=True, kw_only=True):
    """A file that was handed over: its name for the readers, and what the upload was answered."""

    name: Annotated[str, Meta(min_length=1, max_length=limits.ATTACHMENT_NAME_BYTES_MAX)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Meta(ge=0, le=limits.BLOB_BYTES_MAX)]


class SendRequest(VoicedRequest, frozen=True, kw_only=True):
    """A message to send. ``workspace`` is the sender's, ``secret`` that of its session; or ``user`` and ``process``.

    ``expires_s``: nobody need read it later. ``ack_within_s``: the sender hears if somebody has not answered by then,
    and ``escalate``, an address, too.
    ``private``: sealed for the recipients' machines, as its ``attachments`` were when they were uploaded.
    """

    to: _Recipients
    subject: _Subject
    body: _Body = ""
    type: _Type = "text"
    priority: Priority = "MEDIUM"
    tags: _Tags = ()
    thread_id: _Thread | None = None
    idempotency_key: _Key | None = None
    expires_s: _Life | None = None
    ack_within_s: _Life | None = None
    escalate: str | None = None
    attachments: _Attachments = ()
    private: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for address in self.to:
            check_name(parse_address, address)
        if self.escalate is not None:
            check_name(parse_address, self.escalate)
            if self.ack_within_s is None:
                raise ValueError("escalate tells somebody that nobody answered in time: it takes ack_within_s")


class ReplyRequest(VoicedRequest, frozen=True, kw_only=True):
    """A reply: thread, recipient and subject follow from the message.

    ``priority`` and ``private`` None: as the message has it.
    """

    body: _Body
    type: _Type = "answer"
    priority: Priority | None = None
    tags: _Tags = ()
    idempotency_key: _Key | None = None
    attachments: _Attachments = ()
    private: bool | None = None


class ReadRequest(VoicedRequest, frozen=True, kw_only=True):
    """Who reads: a workspace, or None for the machine itself; and in which session."""


class InboxRequest(Request, frozen=True, kw_only=True):
    """Which messages are wanted.

    ``workspaces``: the inboxes to look into, "" being the machine's own; None means all. ``before``: the ``next`` of
    the page before. ``since`` (included) and ``until`` (not included): when it was sent, RFC 3339 with an offset.
    ``wait_s``: with an empty page, wait this long for a message to arrive.
    """

    status: Literal["unread", "read", "archived", "all"] = "unread"
    workspaces: Annotated[tuple[str, ...], Meta(max_length=limits.RECIPIENTS_MAX)] | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.INBOX_PAGE_MAX)] = 50
    before: Annotated[str, Meta(max_length=200)] | None = None
    sender: str | None = None
    thread_id: _Thread | None = None
    priority: Priority | None = None
    type: _Type | None = None
    tag: _Tag | None = None
    since: str | None = None
    until: str | None = None
    wait_s: Annotated[float, Meta(ge=0, le=limits.API_WAIT_S_MAX)] = 0.0

    def __post_init__(self) -> None:
        for workspace in self.workspaces or ():
            check_workspace(workspace or None)
        if self.sender is not None:
            check_name(parse_machine_id, self.sender)
        for moment in (self.since, self.until):
            if moment is not None:
                parse_rfc3339(moment)


class InviteRequest(Request, frozen=True, kw_only=True):
    """A join code for ``machine``, or for any. ``contacts``: host:port besides the node's own addresses."""

    machine: str | None = None
    ttl_s: Annotated[int, Meta(ge=1, le=limits.INVITE_TTL_S_MAX)] = 24 * 3600
    contacts: Annotated[tuple[str, ...], Meta(max_length=limits.ADDRESSES_PER_MACHINE_MAX)] = ()

    def __post_init__(self) -> None:
        if self.machine is not None:
            check_name(parse_machine_id, self.machine)


class IssueRequest(Request, frozen=True, kw_only=True):
    """A certificate request carried by hand, in PEM."""

    request_pem: Annotated[str, Meta(min_length=1, max_length=limits.JOIN_MESSAGE_BYTES_MAX)]


class RenewCertificateRequest(Request, frozen=True, kw_only=True):
    """This machine's next certificate; ``at``: from the issuer at this address, host:port."""

    at: Annotated[str, Meta(min_length=1, max_length=limits.ADDRESS_CHARS_MAX)] | None = None


class CountersignatureOffer(Request, frozen=True, kw_only=True):
    """A signed envelope, base64, that answers :class:`Countersignature`."""

    envelope: Annotated[str, Meta(min_length=1, max_length=2 * limits.RECORD_BYTES_MAX)]


# --- answers -----------------------------------------------------------------------------------------------------


class Evidence(Answer, frozen=True, kw_only=True):
    """Why a machine is believed to be in its state."""

    path: str  # direct, relayed, folder, none
    via: str | None = None
    age_s: float | None = None


class Machine(Answer, frozen=True, kw_only=True):
    """One machine as this node sees it."""

    machine: str
    state: str  # online, suspect, offline, leaving, unknown, conflict
    evidence: Evidence
    self: bool = False
    sessions: list[dict[str, Any]] = msgspec.field(default_factory=list)
    version: str | None = None
    commit_size: int | None = None
    addresses: list[str] = msgspec.field(default_factory=list)


class Machines(Answer, frozen=True, kw_only=True):
    """The fleet as this node sees it."""

    machines: list[Machine]


class Summary(Answer, frozen=True, kw_only=True):
    """Counts for the top line; None: does not exist on this node."""

    machines: int
    online: int
    differences: int | None = None
    decisions_pending: int | None = None


class Warn(Answer, frozen=True, kw_only=True):
    """Something that somebody should look at. ``details``: its facts, for scripts."""

    code: str
    message: str
    remedy: str = ""
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class Status(Answer, frozen=True, kw_only=True):
    """The node's own state. ``reminders``: what its user still has to do; no fault, and not among the warnings."""

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
    reminders: list[Warn] = msgspec.field(default_factory=list)


class Sent(Answer, frozen=True, kw_only=True):
    """A message that is on this machine's disk, with the state of every recipient."""

    id: str
    thread_id: str
    states: dict[str, str]


class InboxMessage(Answer, frozen=True, kw_only=True, rename={"sender": "from"}):
    """One line of an inbox. ``signer`` is who signed it, None with ``verified`` false.

    ``sealed``: subject, body, tags and attachments are for its readers' machines only; ``seal_problem``: why they are
    not shown here, in one word.
    """

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
    expires: str | None = None
    ack_by: str | None = None
    sealed: bool = False
    seal_problem: str = ""


class Inbox(Answer, frozen=True, kw_only=True):
    """One page; ``next`` continues it."""

    messages: list[InboxMessage]
    next: str | None


class Message(InboxMessage, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A message with its body and the states of its recipients as far as this node knows them.

    Attributes:
        attachments: ``number, name, size, sha256``; ``state`` (here, coming, unavailable), ``bytes`` so far, from whom
            (``from``), and why not (``reason``).
        receipts: who said what about it: ``machine, workspace, state, time, note``.
        history: of an amended one every body it has had, oldest first: ``body, time, reason, read_by``.
        commits: those that it cites, with their outcomes: ``number, kind, author, time, outcome``.
    """

    body: str | None
    attachments: list[dict[str, Any]]
    states: dict[str, str]
    receipts: list[dict[str, Any]] = msgspec.field(default_factory=list)
    escalate: str | None = None
    kept: bool = False
    amended: bool = False
    history: list[dict[str, Any]] = msgspec.field(default_factory=list)
    commits: list[dict[str, Any]] = msgspec.field(default_factory=list)


class Invite(Answer, frozen=True, kw_only=True):
    """A join code; shown once, kept by nobody."""

    code: str
    machine: str | None
    expires: str


class Certificate(Answer, frozen=True, kw_only=True):
    """Three certificates in PEM."""

    machine: str
    certificate: str
    issuer: str
    root: str


class RenewedCertificate(Answer, frozen=True, kw_only=True):
    """Until when this machine's certificate is valid now."""

    machine: str
    not_after: str


class RotatedKey(RenewedCertificate, frozen=True, kw_only=True):
    """Key ids in hex. ``ordered``: whether the register has the new key already; the links have it."""

    key: str
    former: str
    ordered: bool


class Countersignature(Answer, frozen=True, kw_only=True):
    """What waits for a signature by a key that is not on this node; None: nothing."""

    pending: dict[str, Any] | None


class Check(Answer, frozen=True, kw_only=True):
    """One finding of the diagnosis. ``severity``: error, warning, info."""

    id: str
    ok: bool
    severity: str
    message: str
    remedy: str = ""


class Doctor(Answer, frozen=True, kw_only=True):
    """The diagnosis."""

    checks: list[Check]


class Done(Answer, frozen=True, kw_only=True):
    """It was done."""

    ok: bool = True


class Problem(Answer, frozen=True, kw_only=True):
    """RFC 9457 problem details with the members of our errors."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    details: dict[str, Any]
    fault: str
