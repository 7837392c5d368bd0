"""The one tree of errors, split by fault.

    RoosyncError
    ├── InputFault            what a user, an agent or a setting said: nothing was changed
    │   └── UsageError        the command or request itself is malformed (exit code 2)
    ├── PeerFault             what a peer, a file or a code from elsewhere said: counted, nothing was changed
    │   ├── MalformedError    it does not parse against its schema, or breaks a bound
    │   ├── SignatureFault    the signature does not fit the bytes, the context or the fleet
    │   ├── UntrustedError    it is signed, by somebody without the authority
    │   ├── StaleError        it was true once: replayed or expired
    │   └── ConflictError     two statements that exclude each other, both signed
    ├── EnvironmentFault      disk, database, port, clock, permissions: says what is kept and the remedy
    │   ├── StoreError
    │   ├── NetworkError
    │   └── FolderError
    ├── UndecidedError        signed and kept here, and not ordered in time: it may be yet (exit code 4)
    └── NotRunningError       no node answers here (exit code 3)

Our own promises are asserted, not raised. An error has a stable ``code`` (snake case, for scripts), a message that
says what happened to the state, and where there is one a remedy. Libraries raise; edges explain.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "ConflictError",
    "EnvironmentFault",
    "FolderError",
    "InputFault",
    "MalformedError",
    "NetworkError",
    "NotRunningError",
    "PeerFault",
    "RoosyncError",
    "SignatureFault",
    "StaleError",
    "StoreError",
    "UndecidedError",
    "UntrustedError",
    "UsageError",
]


class RoosyncError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        message: one sentence for a person, without a trailing remedy.
        code: stable identifier for scripts; each class has a default.
        remedy: what the reader can do about it, or an empty string.
        details: JSON-compatible facts (ids, limits, the offending field).
    """

    default_code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        remedy: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.remedy = remedy
        self.details: dict[str, object] = dict(details or {})

    def diagnostics(self) -> dict[str, object]:
        """The error as the object that edges print: code, message, remedy, details."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "details": self.details}


class InputFault(RoosyncError):
    """What a user, an agent or a setting asked for cannot be done; nothing was changed."""

    default_code = "refused"


class UsageError(InputFault):
    """The request is malformed: a command's argument, a field of an API body."""

    default_code = "usage"


class PeerFault(RoosyncError):
    """Something that came from elsewhere is wrong; it is counted and changes nothing."""

    default_code = "peer_fault"


class MalformedError(PeerFault):
    """Bytes that do not parse against their schema, or break a bound."""

    default_code = "malformed"


class SignatureFault(PeerFault):
    """A signature that does not fit: tampered bytes, another purpose, another fleet."""

    default_code = "bad_signature"


class UntrustedError(PeerFault):
    """Well formed, but by somebody who has no authority for it, or whom nobody vouches for."""

    default_code = "untrusted"


class StaleError(PeerFault):
    """Was true once: a replay, or something that expired."""

    default_code = "stale"


class ConflictError(PeerFault):
    """Two signed statements that exclude each other: a fork, two keys for one machine."""

    default_code = "conflict"


class EnvironmentFault(RoosyncError):
    """The computer does not play along; says what is kept and what helps."""

    default_code = "environment"


class StoreError(EnvironmentFault):
    """The database: full, locked, corrupt, newer than this program."""

    default_code = "store"


class NetworkError(EnvironmentFault):
    """A port that is taken, an address that cannot be used, a connection that failed."""

    default_code = "network"


class FolderError(EnvironmentFault):
    """The shared folder: not mounted, read-only, full, held open, another fleet's."""

    default_code = "folder"


class UndecidedError(RoosyncError):
    """A request is signed and kept, and was not ordered in time; the details say for whom it waits."""

    default_code = "pending"


class NotRunningError(RoosyncError):
    """No node answers at this home."""

    default_code = "not_running"
