"""What the local API takes and gives about the one order of the fleet itself (docs/protocol/api.md §4.2).

:class:`OrderedRequest` is the base of every request that becomes an entry in the commit log: it may have to wait.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.api.records import Answer, Request, Secret, check_name
from roosync_p2p.ids import parse_machine_id
from roosync_p2p.ledger.fields import ClaimName, Line, Machine, Positive

__all__ = [
    "ClockAccepted",
    "Commit",
    "Fence",
    "KeyLostHeard",
    "LeaveRequest",
    "Log",
    "LogRequest",
    "Ordered",
    "OrderedRequest",
    "Pending",
    "PendingRequest",
    "PendingRequests",
    "PreferRequest",
    "RecoverRequest",
    "Recovered",
    "Register",
    "RetireRequest",
    "RevocationHeard",
    "RevokeRequest",
    "SeeLostRequest",
    "SeenLost",
    "SettleRequest",
    "StatementRequest",
    "TimedRequest",
    "Voter",
    "Voters",
]

_Timeout = Annotated[float, Meta(ge=0, le=limits.API_WAIT_S_MAX)]
_Key = Annotated[str, Meta(min_length=1, max_length=limits.IDEMPOTENCY_KEY_CHARS_MAX)]
_Statement = Annotated[str, Meta(min_length=1, max_length=2 * limits.RECORD_BYTES_MAX)]  # base64


# --- requests ----------------------------------------------------------------------------------------------------


class Fence(Request, frozen=True, kw_only=True):
    """The claim that has to be held with this token, or the request is to have no effect."""

    name: ClaimName
    token: Positive


class OrderedRequest(Request, frozen=True, kw_only=True):
    """What every request that has to be ordered may say.

    ``timeout_s``: the answer is code ``pending`` (504) when it is not decided by then. ``idempotency_key``: the same
    key is the same request, however often it is made.
    """

    timeout_s: _Timeout = limits.ORDER_TIMEOUT_S
    idempotency_key: _Key | None = None
    fence: Fence | None = None


class TimedRequest(Request, frozen=True, kw_only=True):
    """A request that waits for something else than its own entry."""

    timeout_s: _Timeout = limits.ORDER_TIMEOUT_S


class LogRequest(Request, frozen=True, kw_only=True, rename={"first": "from"}):
    """A stretch of the log. ``from`` None: its newest ``limit`` entries. ``wait_s``: wait if there is nothing."""

    first: Annotated[int, Meta(ge=1, le=limits.NUMBER_MAX)] | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.LOG_PAGE_MAX)] = 50
    wait_s: Annotated[float, Meta(ge=0, le=limits.API_WAIT_S_MAX)] = 0.0


class PendingRequest(OrderedRequest, frozen=True, kw_only=True):
    """Take back a request that is not decided yet. ``secret``: of the session that made it, if it was made in one."""

    secret: Secret | None = None


class PreferRequest(OrderedRequest, frozen=True, kw_only=True):
    """Who should rather vote, as a decision; nobody: the fleet chooses by itself. ``approve``: at once, if it may."""

    machines: Annotated[tuple[Machine, ...], Meta(max_length=limits.STATEMENT_MACHINES_MAX)] = ()
    approve: bool = False


class LeaveRequest(OrderedRequest, frozen=True, kw_only=True):
    """This machine leaves the fleet, and its node ends. ``force``: also as the only issuer or approver."""

    reason: Line = ""
    force: bool = False


class RetireRequest(OrderedRequest, frozen=True, kw_only=True):
    """An issuer lets a machine go that nobody expects back."""

    machine: str
    reason: Line = ""

    def __post_init__(self) -> None:
        check_name(parse_machine_id, self.machine)


class SettleRequest(OrderedRequest, frozen=True, kw_only=True):
    """An issuer settles a fork: ``keep`` is the id (hex) of the entry that counts."""

    machine: str
    keep: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]

    def __post_init__(self) -> None:
        check_name(parse_machine_id, self.machine)


class StatementRequest(OrderedRequest, frozen=True, kw_only=True):
    """An entry that carries a statement of the root: who signed it decides, not who carries it."""

    kind: Annotated[str, Meta(pattern=r"\A[a-z]+\.[a-z]+\Z", max_length=64)]
    statement: _Statement


class RevokeRequest(Request, frozen=True, kw_only=True):
    """A statement that was signed: a revocation, or that a key was lost. An envelope in base64."""

    statement: _Statement


class RecoverRequest(TimedRequest, frozen=True, kw_only=True):
    """The root's statement that begins a new epoch, base64."""

    statement: _Statement


class SeeLostRequest(Request, frozen=True, kw_only=True):
    """The epoch that does not have what was looked at."""

    epoch: Annotated[int, Meta(ge=1, le=limits.NUMBER_MAX)]


# --- answers -----------------------------------------------------------------------------------------------------


class RevocationHeard(Answer, frozen=True, kw_only=True):
    """Which machine is out from now on, as this node sees it."""

    machine: str


class KeyLostHeard(Answer, frozen=True, kw_only=True):
    """Which machine has another key from now on, as this node sees it; whether the register has that already."""

    machine: str
    ordered: bool


class Ordered(Answer, frozen=True, kw_only=True):
    """What became of an entry. ``detail`` are the facts that the ledger answers with."""

    commit_number: int
    time: str
    detail: dict[str, Any]


class Commit(Answer, frozen=True, kw_only=True):
    """One number of the log; a change of voters has no author and no id."""

    number: int
    time: str
    kind: str
    author: str | None
    id: str | None
    outcome: dict[str, Any]


class Log(Answer, frozen=True, kw_only=True):
    """A stretch of the log; ``size`` is the newest number applied here."""

    size: int
    entries: list[Commit]


class Pending(Answer, frozen=True, kw_only=True):
    """A request of this machine. ``state``: pending or decided; what was decided has number and outcome."""

    id: str
    kind: str
    state: str
    asked_at: str | None
    waits_for: str | None = None
    commit_number: int | None = None
    outcome: dict[str, Any] | None = None


class PendingRequests(Answer, frozen=True, kw_only=True):
    """What this machine wrote and is not ordered yet, and what that waits for."""

    pending: list[Pending]
    waits_for: str | None
    details: dict[str, Any]
    as_of: int
    stale: bool


class Voter(Answer, frozen=True, kw_only=True):
    """A machine that votes, as the life of its store that does."""

    machine: str
    store: str
    state: str  # as in machines


class Learner(Answer, frozen=True, kw_only=True):
    """A member that follows the order and may be given a vote."""

    machine: str
    state: str  # as in machines


class Voters(Answer, frozen=True, kw_only=True):
    """Who decides what is ordered, and everything that a recovery has to name.

    ``preferred``: who should rather vote, as the fleet decided; empty where it chooses by itself.
    ``root``: the Merkle root over all ``size`` numbers. ``store``: this machine's own.
    """

    voters: list[Voter]
    learners: list[Learner]
    preferred: list[str]
    leader: str | None
    term: int
    epoch: int
    size: int
    root: str
    store: str | None
    as_of: int
    stale: bool


class Register(Answer, frozen=True, kw_only=True):
    """Members and persons as the ledger has them, those who left too."""

    members: list[dict[str, Any]]
    persons: list[dict[str, Any]]
    approvers: list[str]
    as_of: int
    stale: bool


class ClockAccepted(Answer, frozen=True, kw_only=True):
    """This computer's clock counts as right."""

    accepted: bool = True


class Recovered(Answer, frozen=True, kw_only=True):
    """The epoch that has begun, on how many commits, and how many of this machine's are not among them."""

    epoch: int = msgspec.field(default=0)
    base: int = 0
    lost: int = 0


class SeenLost(Answer, frozen=True, kw_only=True):
    """How many commits are not warned of any more."""

    seen: int
