"""Bodies of decisions and of what is changed by decisions (docs/protocol/ledger.md §8 to §11)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record
from roosync_p2p.ledger.bodies import OrderedBody
from roosync_p2p.ledger.fields import (
    Count,
    Digest,
    Line,
    Machine,
    Note,
    Person,
    Positive,
    Session,
    TimeMs,
    Workspace,
)
from roosync_p2p.trust.keys import SIGNATURE_BYTES

__all__ = [
    "Action",
    "BaselineRestore",
    "BaselineSet",
    "DecisionApprove",
    "DecisionArchive",
    "DecisionId",
    "DecisionPropose",
    "DecisionReject",
    "DecisionReport",
    "DecisionResolve",
    "DecisionRevise",
    "DecisionRollback",
    "DecisionStart",
    "PersonVerdict",
    "Proposal",
    "Severity",
]

DecisionId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\AD[1-9][0-9]{0,18}\Z")]  # D and a commit number
Severity: TypeAlias = Literal["CRITICAL", "IMPORTANT", "WARNING", "INFO"]
Result: TypeAlias = Literal["in_progress", "applied", "failed", "rolled_back"]
_Json: TypeAlias = Annotated[bytes, msgspec.Meta(max_length=limits.JSON_BYTES_MAX)]
_Title: TypeAlias = Annotated[
    str, msgspec.Meta(min_length=1, max_length=limits.DECISION_TITLE_CHARS_MAX, pattern=r"\A[^\x00-\x1f\x7f]*\Z")
]
_Text: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=limits.DECISION_TEXT_CHARS_MAX, pattern=r"\A[^\x00-\x08\x0b-\x1f\x7f]*\Z")
]
_Targets: TypeAlias = Annotated[tuple[str, ...], msgspec.Meta(max_length=limits.STATEMENT_MACHINES_MAX)]
_Strategy: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.WORD_CHARS_MAX)]


class Action(Record, frozen=True, kw_only=True):
    """One typed change.

    Attributes:
        op: ``set`` and ``merge`` take ``value``, ``remove`` nothing, ``file`` ``sha256`` and ``size`` of a blob or
            ``value``, ``run`` ``name`` and ``arguments``.
        resource: ``type:path#/json/pointer`` in normal form.
        value: canonical JSON (docs/protocol/ledger.md §10); of a file its bytes, where they are carried here.
        name: of an action that the target's settings define; no command line travels.
    """

    op: Literal["set", "merge", "remove", "file", "run"]
    resource: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.RESOURCE_CHARS_MAX)]
    value: _Json = b""
    sha256: Annotated[bytes, msgspec.Meta(max_length=32)] = b""
    size: Count = 0
    name: Annotated[str, msgspec.Meta(pattern=r"\A([a-z0-9][a-z0-9._-]{0,63})?\Z")] = ""
    arguments: Annotated[tuple[Line, ...], msgspec.Meta(max_length=limits.RUN_ARGUMENTS_MAX)] = ()


_Actions: TypeAlias = Annotated[tuple[Action, ...], msgspec.Meta(max_length=limits.DECISION_ACTIONS_MAX)]


class Proposal(OrderedBody, frozen=True, kw_only=True):
    """What is decided: the part of a decision that a revision replaces.

    Attributes:
        targets: machines, or ``all``; nothing where only the fleet's own documents change.
        based_on: the commit number that the author had applied when it looked.
        baseline: the version of the baseline that the author edited; 0 is the one at ``based_on``.
        strategy: ``manual`` overrides the policy for conflicts; anything else does not.
        expires_ms: in commit time; without approval until then it is ``expired``. None takes the policy's time.
        approve: the author approves at once, where it may.
    """

    title: _Title
    description: _Text = ""
    severity: Severity = "INFO"
    targets: _Targets = ()
    actions: _Actions
    based_on: Count
    baseline: Count = 0
    strategy: _Strategy = ""
    expires_ms: TimeMs | None = None
    approve: bool = False
    workspace: Workspace = ""


class DecisionPropose(Proposal, frozen=True, kw_only=True):
    """A new decision; its id is ``D`` and the commit number of this entry."""


class DecisionRevise(Proposal, frozen=True, kw_only=True):
    """The author edits its decision while it is pending or conflicted; approvals are void.

    ``revision`` is the hash of the revision that is replaced.
    """

    decision: DecisionId
    revision: Digest


class PersonVerdict(Record, frozen=True, kw_only=True):
    """A person's signature over one verdict on one revision (docs/protocol/ledger.md §8).

    ``not_after_ms`` is part of what is signed; 0 is any time.
    """

    person: Person
    signature: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
    not_after_ms: TimeMs = 0


class DecisionApprove(OrderedBody, frozen=True, kw_only=True):
    """The author, an approver, approves a revision; or carries a person's approval."""

    decision: DecisionId
    revision: Digest
    note: Note = ""
    person: PersonVerdict | None = None


class DecisionReject(OrderedBody, frozen=True, kw_only=True):
    """The author, an approver, rejects a revision; or carries a person's rejection."""

    decision: DecisionId
    revision: Digest
    reason: Note = ""
    person: PersonVerdict | None = None


class DecisionResolve(OrderedBody, frozen=True, kw_only=True):
    """What becomes of a conflicted decision.

    ``keep`` is the decision itself, one that it conflicts with, or a third that takes the place of both.
    """

    decision: DecisionId
    revision: Digest
    keep: DecisionId
    note: Note = ""
    person: PersonVerdict | None = None


class DecisionStart(OrderedBody, frozen=True, kw_only=True):
    """A target begins to apply. Each attempt has the number after the last, and is taken once."""

    decision: DecisionId
    revision: Digest
    attempt: Positive
    session: Session = "node"


class DecisionReport(OrderedBody, frozen=True, kw_only=True):
    """What became of an attempt on the author's machine.

    Attributes:
        attempt: the one that was started.
        final: a failure that no retry can help.
        backup: there is one, and it can be rolled back.
    """

    decision: DecisionId
    attempt: Positive
    result: Result
    note: Note = ""
    final: bool = False
    backup: bool = False


class DecisionRollback(OrderedBody, frozen=True, kw_only=True):
    """An approver wants it undone on these machines (none is all that applied it); a target may for itself."""

    decision: DecisionId
    machines: Annotated[tuple[Machine, ...], msgspec.Meta(max_length=limits.STATEMENT_MACHINES_MAX)] = ()
    reason: Note = ""


class DecisionArchive(OrderedBody, frozen=True, kw_only=True):
    """The author or an approver puts a finished decision away; its contents stay in the log."""

    decision: DecisionId


class BaselineSet(OrderedBody, frozen=True, kw_only=True):
    """A change of the baseline, as a decision.

    Attributes:
        version: the one that the author edited.
        patch: JSON Merge Patch (RFC 7396), canonical; or
        actions: ``set``, ``merge`` and ``remove`` on ``baseline:fleet#/pointer``.
    """

    version: Count
    patch: _Json = b""
    actions: _Actions = ()
    title: Annotated[
        str, msgspec.Meta(max_length=limits.DECISION_TITLE_CHARS_MAX, pattern=r"\A[^\x00-\x1f\x7f]*\Z")
    ] = ""
    description: _Text = ""
    severity: Severity = "INFO"
    strategy: _Strategy = ""
    approve: bool = False


class BaselineRestore(OrderedBody, frozen=True, kw_only=True):
    """The baseline as it was in a version, as a decision. ``version`` is the one that the author looked at."""

    restore: Count
    version: Count
    reason: Note = ""
    approve: bool = False
