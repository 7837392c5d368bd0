"""What the local API takes and gives about claims and the sessions that hold them (docs/protocol/api.md §4.3)."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.api.ordered_schemas import OrderedRequest
from roosync_p2p.api.records import Answer, Process, Request, Secret, User, check_workspace
from roosync_p2p.ledger.fields import ClaimName, Count, Line, Positive

__all__ = [
    "Claim",
    "ClaimCheck",
    "ClaimCheckRequest",
    "ClaimRequest",
    "Claims",
    "CloseSessionRequest",
    "ClosedSession",
    "OpenSessionRequest",
    "ReleaseRequest",
    "Released",
    "RenewRequest",
    "RenewSessionRequest",
    "RenewedSession",
    "Session",
    "SpokenRequest",
    "StealRequest",
]

_TtlS = Annotated[float, Meta(ge=limits.CLAIM_TTL_MS_MIN / 1000, le=limits.CLAIM_TTL_MS_MAX / 1000)]
_Client = Annotated[str, Meta(max_length=limits.SESSION_CLIENT_CHARS_MAX, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_Wait = Annotated[float, Meta(ge=0, le=limits.API_WAIT_S_MAX)]


# --- requests ----------------------------------------------------------------------------------------------------


class SpokenRequest(OrderedRequest, frozen=True, kw_only=True):
    """A request in a session's name: by its ``secret``; or, without one, the user's ``process`` is the session."""

    secret: Secret | None = None
    user: User | None = None
    process: Process | None = None
    workspace: str | None = None

    def __post_init__(self) -> None:
        check_workspace(self.workspace)
        if self.secret is None and (self.user is None or self.process is None):
            raise ValueError("who asks? give `secret`, or `user` and `process`")


class OpenSessionRequest(Request, frozen=True, kw_only=True):
    """A new session. It ends when nobody has used it for ``lease_s``. ``client`` is what its program is called."""

    workspace: str | None = None
    client: _Client = ""
    lease_s: Annotated[float, Meta(ge=1, le=limits.SESSION_LEASE_S_MAX)] = limits.SESSION_LEASE_S

    def __post_init__(self) -> None:
        check_workspace(self.workspace)


class CloseSessionRequest(OrderedRequest, frozen=True, kw_only=True):
    """The session ends, and what it holds is released."""

    secret: Secret


class RenewSessionRequest(Request, frozen=True, kw_only=True):
    """The session's lease begins anew."""

    secret: Secret


class ClaimRequest(SpokenRequest, frozen=True, kw_only=True):
    """A name to hold. ``wait_s``: stand in line so long; ``queue``: stay in line whether anybody waits or not."""

    name: ClaimName
    ttl_s: _TtlS = limits.CLAIM_TTL_S
    note: Line = ""
    wait_s: _Wait = 0.0
    queue: bool = False


class RenewRequest(SpokenRequest, frozen=True, kw_only=True):
    """Hold it so long from now on. ``token`` 0: the one that this session has."""

    name: ClaimName
    token: Count = 0
    ttl_s: _TtlS = limits.CLAIM_TTL_S


class ReleaseRequest(SpokenRequest, frozen=True, kw_only=True):
    """Hold it no more, or leave the line. ``token`` 0: the one that this session has."""

    name: ClaimName
    token: Count = 0


class StealRequest(SpokenRequest, frozen=True, kw_only=True):
    """Take it from whoever holds it; for approvers."""

    name: ClaimName
    ttl_s: _TtlS = limits.CLAIM_TTL_S
    note: Line = ""
    reason: Line = ""


class ClaimCheckRequest(Request, frozen=True, kw_only=True):
    """Whether a claim is held with this very token, now."""

    name: ClaimName
    token: Positive


# --- answers -----------------------------------------------------------------------------------------------------


class Session(Answer, frozen=True, kw_only=True):
    """A session that was opened. ``secret`` is shown once and kept by nobody; ``session`` is its SHA-256."""

    session: str
    secret: str
    expires_at: str


class RenewedSession(Answer, frozen=True, kw_only=True):
    """A session that is open for longer."""

    session: str
    expires_at: str


class ClosedSession(Answer, frozen=True, kw_only=True):
    """A session that ended, with the names of the claims that were released."""

    session: str
    released: list[str]


class Claim(Answer, frozen=True, kw_only=True):
    """A claim that is held. ``token`` is the commit number of its acquisition: a later holder has a larger one."""

    name: str
    token: int
    holder: dict[str, str]
    acquired_at: str
    expires_at: str
    note: str = ""
    queue: list[dict[str, Any]] | None = None


class Claims(Answer, frozen=True, kw_only=True):
    """Every claim that is held."""

    claims: list[Claim]
    as_of: int
    stale: bool


class ClaimCheck(Answer, frozen=True, kw_only=True):
    """``held``: with this token. ``claim``: who holds it, if anybody does."""

    name: str
    token: int
    held: bool
    claim: Claim | None
    as_of: int
    stale: bool


class Released(Answer, frozen=True, kw_only=True):
    """A claim that this session held, or waited for, no more."""

    name: str
    token: int | None = None
