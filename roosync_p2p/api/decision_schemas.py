"""What the local API takes and gives about decisions, the baseline and policies (docs/protocol/api.md §4.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta

from roosync_p2p import limits
from roosync_p2p.api.ordered_schemas import OrderedRequest
from roosync_p2p.api.records import Answer, Request, check_workspace
from roosync_p2p.ledger.decision_bodies import DecisionId, Severity
from roosync_p2p.ledger.fields import Count, Line, Note, Person, TimeMs
from roosync_p2p.ledger.lifecycle import Phase

__all__ = [
    "ActionSaid",
    "ApplyRequest",
    "ArchiveRequest",
    "Baseline",
    "BaselineDiff",
    "BaselineDiffRequest",
    "BaselineHistory",
    "BaselineRequest",
    "Decision",
    "Decisions",
    "DecisionsRequest",
    "PersonSaid",
    "Policies",
    "ProposeRequest",
    "ResolveRequest",
    "RestoreBaselineRequest",
    "RollbackRequest",
    "SetBaselineRequest",
    "SetPolicyRequest",
    "VerdictRequest",
]

_LINE = r"\A[^\x00-\x1f\x7f]*\Z"
_Title = Annotated[str, Meta(min_length=1, max_length=limits.DECISION_TITLE_CHARS_MAX, pattern=_LINE)]
_Text = Annotated[str, Meta(max_length=limits.DECISION_TEXT_CHARS_MAX, pattern=r"\A[^\x00-\x08\x0b-\x1f\x7f]*\Z")]
_Resource = Annotated[str, Meta(min_length=1, max_length=limits.RESOURCE_CHARS_MAX)]
_Hash = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Strategy = Annotated[str, Meta(max_length=64)]
_Machines = Annotated[tuple[str, ...], Meta(max_length=limits.STATEMENT_MACHINES_MAX)]
_State = Literal[
    "pending",
    "approved",
    "in_progress",
    "applied",
    "archived",
    "rejected",
    "failed",
    "rolled_back",
    "superseded",
    "conflicted",
    "expired",
]
assert set(get_args(_State)) == {phase.value for phase in Phase}


# --- requests ----------------------------------------------------------------------------------------------------


class ActionSaid(Request, frozen=True, kw_only=True):
    """One typed change of a ``resource``, ``type:path#/json/pointer``.

    ``set`` and ``merge`` take ``value``, any JSON; ``file`` takes ``content`` in base64, or ``sha256`` and ``size`` of
    a blob; ``run`` takes ``name`` and ``arguments``.
    """

    op: Literal["set", "merge", "remove", "file", "run"]
    resource: _Resource
    value: Any = UNSET
    content: Annotated[str, Meta(max_length=2 * limits.JSON_BYTES_MAX)] | None = None
    sha256: _Hash | None = None
    size: Count = 0
    name: Annotated[str, Meta(max_length=64)] = ""
    arguments: Annotated[tuple[Line, ...], Meta(max_length=limits.RUN_ARGUMENTS_MAX)] = ()


_Actions = Annotated[tuple[ActionSaid, ...], Meta(max_length=limits.DECISION_ACTIONS_MAX)]


class ProposeRequest(OrderedRequest, frozen=True, kw_only=True):
    """A decision to take, or with ``revises`` another text of one.

    ``targets``: machines, or ``all``. ``based_on``: the commit number that its author had seen; None: the newest here.
    ``strategy``: ``manual`` makes a conflict wait for a person, whatever the policy says. ``approve``: at once, if
    this machine may. ``revision``: the hash of the text that is replaced; None: the one that stands.
    """

    title: _Title
    description: _Text = ""
    severity: Severity = "INFO"
    targets: _Machines = ()
    actions: _Actions
    based_on: Count | None = None
    baseline: Count = 0
    strategy: _Strategy = ""
    expires_s: Annotated[float, Meta(ge=1, le=limits.DECISION_EXPIRES_S_MAX)] | None = None
    approve: bool = False
    workspace: str | None = None
    revises: DecisionId | None = None
    revision: _Hash | None = None

    def __post_init__(self) -> None:
        check_workspace(self.workspace)


class PersonSaid(Request, frozen=True, kw_only=True):
    """A person's signature over their verdict, base64, made where their passphrase was asked for."""

    person: Person
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    not_after_ms: TimeMs = 0


class VerdictRequest(OrderedRequest, frozen=True, kw_only=True):
    """Yes or no to a revision; None: to the one that stands."""

    revision: _Hash | None = None
    note: Note = ""
    person: PersonSaid | None = None


class ResolveRequest(VerdictRequest, frozen=True, kw_only=True):
    """What becomes of a conflict: the decision that counts."""

    keep: DecisionId


class ApplyRequest(OrderedRequest, frozen=True, kw_only=True):
    """What this machine does about a decision: ``start``, then how it ended.

    ``final``: of a failure, that no retry can help. ``backup``: there is one, so it can be rolled back.
    """

    step: Literal["start", "applied", "failed", "rolled_back"]
    note: Note = ""
    final: bool = False
    backup: bool = False


class RollbackRequest(OrderedRequest, frozen=True, kw_only=True):
    """Undo it on these machines; none: on all, and in the baseline."""

    machines: _Machines = ()
    reason: Note = ""


class ArchiveRequest(OrderedRequest, frozen=True, kw_only=True):
    """Put a finished decision away."""


class DecisionsRequest(Request, frozen=True, kw_only=True):
    """Which decisions are wanted, newest first."""

    state: _State | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.LOG_PAGE_MAX)] = 100


class BaselineRequest(Request, frozen=True, kw_only=True):
    """A version of the baseline; None: the newest."""

    version: Count | None = None


class BaselineDiffRequest(Request, frozen=True, kw_only=True):
    """Two versions; by default the newest and the one before it."""

    old: Count | None = None
    new: Count | None = None


class SetBaselineRequest(OrderedRequest, frozen=True, kw_only=True):
    """A change of the baseline, as a decision: a merge ``patch`` (RFC 7396), ``actions``, or a whole ``document``.

    ``version``: the one that its author edited; None: the newest here.
    """

    version: Count | None = None
    patch: Any = UNSET
    actions: _Actions = ()
    document: Any = UNSET
    title: Annotated[str, Meta(max_length=limits.DECISION_TITLE_CHARS_MAX, pattern=_LINE)] = ""
    description: _Text = ""
    severity: Severity = "INFO"
    strategy: _Strategy = ""
    approve: bool = False

    def __post_init__(self) -> None:
        if sum((self.patch is not UNSET, bool(self.actions), self.document is not UNSET)) != 1:
            raise ValueError("what changes? give one of `patch`, `actions`, `document`")


class RestoreBaselineRequest(OrderedRequest, frozen=True, kw_only=True):
    """The baseline as it was in a version, as a decision."""

    restore: Count
    version: Count | None = None
    reason: Note = ""
    approve: bool = False


class SetPolicyRequest(OrderedRequest, frozen=True, kw_only=True):
    """Another value of a policy, as a decision; without ``value`` its default."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Any = UNSET
    reason: Note = ""
    approve: bool = False


# --- answers -----------------------------------------------------------------------------------------------------


class Decision(Answer, frozen=True, kw_only=True):
    """A decision. Lists leave out description, actions and approvals.

    ``kind``: ``decision``, or what a change of the fleet's own documents is: ``baseline``, ``policy``, ``voters``,
    ``rules``. ``revision``: the hash of what is approved. ``targets``: what each machine did about it.
    """

    id: str
    state: str
    kind: str
    title: str
    severity: str
    author: str
    time: str
    targets: dict[str, dict[str, Any]]
    based_on: int
    conflicts_with: list[str]
    superseded_by: str | None
    commit_number: int
    revision: str
    approved_by: list[str]
    approvals_needed: int
    self_approved: bool
    expires_at: str
    baseline_version: int | None
    reason: str
    description: str | None = None
    actions: list[dict[str, Any]] | None = None
    approvals: list[dict[str, Any]] | None = None
    stands_for: list[str] | None = None
    entry: str | None = None
    workspace: str | None = None
    conflicts: list[dict[str, Any]] | None = None
    warnings: list[str] | None = None


class Decisions(Answer, frozen=True, kw_only=True):
    """Some decisions."""

    decisions: list[Decision]
    as_of: int
    stale: bool


class Baseline(Answer, frozen=True, kw_only=True):
    """One version of the fleet's reference configuration."""

    version: int
    newest: int
    document: Any
    as_of: int
    stale: bool
    commit_number: int | None = None
    time: str | None = None
    decision: str | None = None
    author: str | None = None
    title: str | None = None
    sha256: str | None = None
    undoes: int | None = None
    changed: list[str] | None = None


class BaselineHistory(Answer, frozen=True, kw_only=True):
    """All versions, newest first."""

    versions: list[dict[str, Any]]
    as_of: int
    stale: bool


class BaselineDiff(Answer, frozen=True, kw_only=True):
    """What ``new`` has otherwise than ``old``, by pointer."""

    old: int
    new: int
    changes: list[dict[str, Any]]
    as_of: int
    stale: bool


class Policies(Answer, frozen=True, kw_only=True):
    """Every policy with its value, its default and what it is about."""

    policies: list[dict[str, Any]] = msgspec.field(default_factory=list)
    as_of: int = 0
    stale: bool = False
