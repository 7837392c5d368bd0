"""What the service of decisions is asked for, structurally: the API's records fit (see ``requests``).

JSON values are plain objects; ``msgspec.UNSET`` where none was given, because ``null`` is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from roosync_p2p.node.orders import OrderAsked

__all__ = [
    "ActionAsked",
    "ApplyAsked",
    "BaselineDiffAsked",
    "DecisionsAsked",
    "PersonAsked",
    "PreferAsked",
    "ProposeAsked",
    "ResolveAsked",
    "RestoreBaselineAsked",
    "RollbackAsked",
    "SetBaselineAsked",
    "SetPolicyAsked",
    "VerdictAsked",
    "VersionAsked",
]

Severity = Literal["CRITICAL", "IMPORTANT", "WARNING", "INFO"]


class ActionAsked(Protocol):
    """One typed change."""

    @property
    def op(self) -> Literal["set", "merge", "remove", "file", "run"]: ...
    @property
    def resource(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def content(self) -> str | None: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> tuple[str, ...]: ...


class DecisionsAsked(Protocol):
    """Which decisions."""

    @property
    def state(self) -> str | None: ...
    @property
    def limit(self) -> int: ...


class ProposeAsked(OrderAsked, Protocol):
    """A decision, or another text of one."""

    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def targets(self) -> tuple[str, ...]: ...
    @property
    def actions(self) -> Sequence[ActionAsked]: ...
    @property
    def based_on(self) -> int | None: ...
    @property
    def baseline(self) -> int: ...
    @property
    def strategy(self) -> str: ...
    @property
    def expires_s(self) -> float | None: ...
    @property
    def approve(self) -> bool: ...
    @property
    def workspace(self) -> str | None: ...
    @property
    def revises(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...


class PersonAsked(Protocol):
    """A person's signature, base64."""

    @property
    def person(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def not_after_ms(self) -> int: ...


class VerdictAsked(OrderAsked, Protocol):
    """Yes or no to a revision (hex); None: to the one that stands."""

    @property
    def revision(self) -> str | None: ...
    @property
    def note(self) -> str: ...
    @property
    def person(self) -> PersonAsked | None: ...


class ResolveAsked(VerdictAsked, Protocol):
    """Which decision counts."""

    @property
    def keep(self) -> str: ...


class ApplyAsked(OrderAsked, Protocol):
    """What this machine does about a decision."""

    @property
    def step(self) -> Literal["start", "applied", "failed", "rolled_back"]: ...
    @property
    def note(self) -> str: ...
    @property
    def final(self) -> bool: ...
    @property
    def backup(self) -> bool: ...


class RollbackAsked(OrderAsked, Protocol):
    """Where it is to be undone."""

    @property
    def machines(self) -> tuple[str, ...]: ...
    @property
    def reason(self) -> str: ...


class VersionAsked(Protocol):
    """A version of the baseline; None: the newest."""

    @property
    def version(self) -> int | None: ...


class BaselineDiffAsked(Protocol):
    """Two versions."""

    @property
    def old(self) -> int | None: ...
    @property
    def new(self) -> int | None: ...


class SetBaselineAsked(OrderAsked, VersionAsked, Protocol):
    """A change of the baseline: one of patch, actions, document."""

    @property
    def patch(self) -> Any: ...
    @property
    def actions(self) -> Sequence[ActionAsked]: ...
    @property
    def document(self) -> Any: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def strategy(self) -> str: ...
    @property
    def approve(self) -> bool: ...


class RestoreBaselineAsked(OrderAsked, VersionAsked, Protocol):
    """An earlier version."""

    @property
    def restore(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def approve(self) -> bool: ...


class SetPolicyAsked(OrderAsked, Protocol):
    """Another value of a policy."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def reason(self) -> str: ...
    @property
    def approve(self) -> bool: ...


class PreferAsked(OrderAsked, Protocol):
    """Who should rather vote."""

    @property
    def machines(self) -> tuple[str, ...]: ...
    @property
    def approve(self) -> bool: ...
