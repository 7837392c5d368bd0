"""Policies: what the fleet may set for itself (docs/protocol/ledger.md §11).

A key that nobody set has its default. Values are JSON, and are checked when they are proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.codec.records import Record
from roosync_p2p.errors import MalformedError
from roosync_p2p.ledger.documents import Json, parse_json
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.resources import Segments, parse_resource
from roosync_p2p.ledger.state import Reader
from roosync_p2p.ledger.stored import read

__all__ = [
    "APPROVALS_DECISIONS",
    "APPROVALS_POLICY",
    "AUTO_LOCAL",
    "AUTO_REMOTE",
    "CONFLICT_STRATEGY",
    "EXPIRE_DAYS",
    "MANUAL",
    "POLICIES",
    "RETENTION_ARCHIVE",
    "ROLLBACK_DAYS",
    "STRATEGIES",
    "Policy",
    "PolicyState",
    "Strategies",
    "check_policy",
    "number_policy",
    "policy_key",
    "policy_value",
]

MANUAL: Final = "manual"
AUTO_REMOTE: Final = "auto-remote"
AUTO_LOCAL: Final = "auto-local"
STRATEGIES: Final = (MANUAL, AUTO_REMOTE, AUTO_LOCAL)  # the most careful first

APPROVALS_DECISIONS: Final = "approvals.decisions"
APPROVALS_POLICY: Final = "approvals.policy"
CONFLICT_STRATEGY: Final = "conflict.strategy"
EXPIRE_DAYS: Final = "decisions.expire_days"
RETENTION_ARCHIVE: Final = "retention.archive"
ROLLBACK_DAYS: Final = "decisions.rollback_days"

_ANYTHING: Final = "*"


class Policy(NamedTuple):
    """One key: its default, whether a value fits, and what it is about."""

    default: Json
    fits: Callable[[Json], bool]
    meaning: str


class PolicyState(Record, frozen=True, kw_only=True):
    """A value that was decided: canonical JSON, by which decision, at which number."""

    value: bytes
    decision: str
    number: int


def _whole(low: int, high: int) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _one_of(*words: str) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, str) and value in words


def _are_strategies(value: Json) -> bool:
    """Prefixes with the name of a strategy each. A name that is none fits: it is read as ``manual``."""
    return (
        isinstance(value, dict)
        and len(value) <= limits.POLICY_PREFIXES_MAX
        and all(
            isinstance(name, str) and len(name) <= limits.WORD_CHARS_MAX and _prefix(prefix) is not None
            for prefix, name in value.items()
        )
    )


POLICIES: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        APPROVALS_DECISIONS: Policy(1, _whole(1, 16), "approvals that a decision or a baseline change needs: 1 to 16"),
        APPROVALS_POLICY: Policy(
            1, _whole(1, 16), "approvals that a change of policy, rules or voter wishes needs: 1 to 16"
        ),
        CONFLICT_STRATEGY: Policy(
            {_ANYTHING: MANUAL},
            _are_strategies,
            f"per resource prefix, or {_ANYTHING} for any: {', '.join(STRATEGIES)}; the longest prefix counts",
        ),
        EXPIRE_DAYS: Policy(30, _whole(1, 365), "days after which a decision without its approvals expires: 1 to 365"),
        ROLLBACK_DAYS: Policy(30, _whole(1, 365), "days for which what was applied can be rolled back: 1 to 365"),
        "baseline.drift": Policy(
            MANUAL,
            _one_of(*STRATEGIES),
            f"what a machine does whose own configuration differs from the baseline: {', '.join(STRATEGIES)}",
        ),
        RETENTION_ARCHIVE: Policy(
            "drop", _one_of("drop", "keep"), "bodies of archived messages after their time: drop or keep"
        ),
        "voters.most": Policy(
            5, _whole(1, 9), "voters that the autopilot aims at in a large fleet: 1 to 9; of an even number one less"
        ),
    }
)


def policy_key(name: str) -> str:
    """State key of a policy."""
    return f"policy/{name}"


def policy_value(reader: Reader, name: str) -> Json:
    """The value in force."""
    data = reader.get(policy_key(name))
    return POLICIES[name].default if data is None else parse_json(read(data, PolicyState).value)


def number_policy(reader: Reader, name: str) -> int:
    """The value in force of a policy that is a number."""
    value = policy_value(reader, name)
    assert isinstance(value, int)
    return value


def check_policy(name: str, value: bytes) -> None:
    """Lets a value pass that fits its key; empty is the default.

    Raises:
        Refused: ``unknown_policy``, ``bad_policy_value``.
        MalformedError: it is not canonical JSON.
    """
    policy = POLICIES.get(name)
    if policy is None:
        raise Refused("unknown_policy", name=name)
    if value and not policy.fits(parse_json(value)):
        raise Refused("bad_policy_value", name=name, meaning=policy.meaning)


class Strategies:
    """The conflict strategies in force, by resource prefix."""

    def __init__(self, reader: Reader) -> None:
        table = policy_value(reader, CONFLICT_STRATEGY)
        assert isinstance(table, dict)
        self._names = {prefix: str(name) for text, name in table.items() if (prefix := _prefix(text)) is not None}

    def name_for(self, segments: Segments) -> str:
        """What stands there for a resource, by its longest prefix; it may be no strategy."""
        lengths = range(len(segments), -1, -1)
        return next((name for n in lengths if (name := self._names.get(segments[:n])) is not None), MANUAL)


def _prefix(text: str) -> Segments | None:
    """``*``, ``type:`` or a resource in normal form, as segments; None if it is none of these."""
    if text == _ANYTHING:
        return ()
    if text.endswith(":") and text[:-1].isascii() and text[:-1].replace("-", "").replace("_", "").isalnum():
        return (text[:-1],)
    try:
        return parse_resource(text).segments
    except MalformedError:
        return None
