"""What the services of the ledger are asked for, structurally: the API's records fit (see ``requests``)."""

from __future__ import annotations

from typing import Protocol

from roosync_p2p.node.orders import OrderAsked
from roosync_p2p.node.sessions import SpeakerAsked

__all__ = [
    "CancelAsked",
    "ClaimAsked",
    "ClaimCheckAsked",
    "CloseSessionAsked",
    "LeaveAsked",
    "LogAsked",
    "OpenSessionAsked",
    "RecoverAsked",
    "ReleaseAsked",
    "RenewAsked",
    "RenewSessionAsked",
    "RetireAsked",
    "RevokeAsked",
    "SeeLostAsked",
    "SettleAsked",
    "SpokenAsked",
    "StatementAsked",
    "StealAsked",
    "TimedAsked",
]


class TimedAsked(Protocol):
    """How long the caller waits."""

    @property
    def timeout_s(self) -> float: ...


class SpokenAsked(OrderAsked, SpeakerAsked, Protocol):
    """Something in a session's name."""


# --- the log and its members --------------------------------------------------------------------------------------


class LogAsked(Protocol):
    """A stretch of the log; ``first`` None: the newest ``limit`` entries."""

    @property
    def first(self) -> int | None: ...
    @property
    def limit(self) -> int: ...
    @property
    def wait_s(self) -> float: ...


class StatementAsked(OrderAsked, Protocol):
    """A statement of the root, base64, and the kind of the entry that carries it."""

    @property
    def kind(self) -> str: ...
    @property
    def statement(self) -> str: ...


class LeaveAsked(OrderAsked, Protocol):
    """Why this machine leaves; ``force``: also as the only issuer or approver."""

    @property
    def reason(self) -> str: ...
    @property
    def force(self) -> bool: ...


class RetireAsked(OrderAsked, Protocol):
    """Which machine goes, and why."""

    @property
    def machine(self) -> str: ...
    @property
    def reason(self) -> str: ...


class RevokeAsked(Protocol):
    """A revocation that was signed, base64."""

    @property
    def statement(self) -> str: ...


class SettleAsked(OrderAsked, Protocol):
    """Which entry (id in hex) of a machine that forked counts."""

    @property
    def machine(self) -> str: ...
    @property
    def keep(self) -> str: ...


class SeeLostAsked(Protocol):
    """The epoch that does not have what was looked at."""

    @property
    def epoch(self) -> int:
        """Its number."""


class RecoverAsked(TimedAsked, Protocol):
    """The root's statement, base64."""

    @property
    def statement(self) -> str: ...


# --- sessions and claims ------------------------------------------------------------------------------------------


class OpenSessionAsked(Protocol):
    """A session to open."""

    @property
    def workspace(self) -> str | None: ...
    @property
    def client(self) -> str: ...
    @property
    def lease_s(self) -> float: ...


class CloseSessionAsked(OrderAsked, Protocol):
    """A session to close."""

    @property
    def secret(self) -> str: ...


class CancelAsked(OrderAsked, Protocol):
    """A request to take back; ``secret``: of the session that made it, if it was made in one."""

    @property
    def secret(self) -> str | None: ...


class RenewSessionAsked(Protocol):
    """A session whose lease begins anew."""

    @property
    def secret(self) -> str: ...


class ClaimCheckAsked(Protocol):
    """A name, and the token that somebody believes in."""

    @property
    def name(self) -> str: ...
    @property
    def token(self) -> int: ...


class ReleaseAsked(SpokenAsked, Protocol):
    """A name to hold no more; ``token`` 0: whichever."""

    @property
    def name(self) -> str: ...
    @property
    def token(self) -> int: ...


class RenewAsked(SpokenAsked, Protocol):
    """A name to hold longer; ``token`` 0: the one that this session has."""

    @property
    def name(self) -> str: ...
    @property
    def token(self) -> int: ...
    @property
    def ttl_s(self) -> float: ...


class ClaimAsked(SpokenAsked, Protocol):
    """A name to hold; how long to stand in line, and whether to stay there."""

    @property
    def name(self) -> str: ...
    @property
    def ttl_s(self) -> float: ...
    @property
    def note(self) -> str: ...
    @property
    def wait_s(self) -> float: ...
    @property
    def queue(self) -> bool: ...


class StealAsked(SpokenAsked, Protocol):
    """A name to take from whoever holds it."""

    @property
    def name(self) -> str: ...
    @property
    def ttl_s(self) -> float: ...
    @property
    def note(self) -> str: ...
    @property
    def reason(self) -> str: ...
