"""Bodies of the ordered kinds, but for decisions (docs/protocol/ledger.md §4 to §7).

A body says what its author wants. Who the author is stands in the signed header, and what it may do in the register.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.codec.records import Record
from roosync_p2p.ids import Epoch, MachineId
from roosync_p2p.ledger.fields import (
    ClaimName,
    Count,
    Digest,
    Line,
    Machine,
    Note,
    Positive,
    Session,
    TimeMs,
    Ttl,
    Workspace,
)

__all__ = [
    "MEMBER_SETTLE",
    "Carrier",
    "Circumstances",
    "ClaimAcquire",
    "ClaimRelease",
    "ClaimRenew",
    "ClaimSteal",
    "ConfigPublish",
    "Fence",
    "MemberLeave",
    "MemberRetire",
    "MemberRotate",
    "MemberSettle",
    "OrderedBody",
    "PolicySet",
    "RequestWithdraw",
    "RulesActivate",
    "RulesSupport",
    "VotersPrefer",
    "in_epoch",
]

_Der = Annotated[bytes, msgspec.Meta(min_length=1, max_length=limits.CERTIFICATE_BYTES_MAX)]
_Statement = Annotated[bytes, msgspec.Meta(max_length=limits.RECORD_BYTES_MAX)]


class Fence(Record, frozen=True, kw_only=True):
    """The author holds this claim with this token, or the entry is to have no effect."""

    name: ClaimName
    token: Positive


class Circumstances(Record, frozen=True, kw_only=True):
    """Under which any ordered entry may have an effect, whatever its kind.

    Attributes:
        epoch: of the commit log, as the author's node knew it. In another one the entry has no effect.
        not_after_ms: in commit time; later the entry has no effect. None is any time.
        fence: a claim that has to be held.
    """

    epoch: Count = 0
    not_after_ms: TimeMs | None = None
    fence: Fence | None = None


class OrderedBody(Circumstances, frozen=True, kw_only=True):
    """Base of the bodies of ordered kinds. ``key`` is the request's idempotency key; informative."""

    key: Annotated[str, msgspec.Meta(max_length=limits.IDEMPOTENCY_KEY_CHARS_MAX)] = ""


def in_epoch(body: bytes, epoch: Epoch) -> bytes:
    """The same body of an ordered kind, written for an epoch; fields that this version does not know stay."""
    if epoch == 0:
        return body  # the default, which is left out
    fields = unpack(body, size_max=limits.ENTRY_BODY_BYTES_MAX)
    assert isinstance(fields, dict), "bodies of ordered kinds are maps"
    return pack({**fields, "epoch": epoch})


# --- what somebody else than the author says ----------------------------------------------------------------------


class Carrier(OrderedBody, frozen=True, kw_only=True):
    """An entry that carries the envelope of a statement (docs/protocol/trust.md §6): its signer decides."""

    statement: Annotated[bytes, msgspec.Meta(min_length=1, max_length=limits.ENTRY_BODY_BYTES_MAX)]


# --- members ------------------------------------------------------------------------------------------------------


class MemberRotate(OrderedBody, frozen=True, kw_only=True):
    """A machine has another key.

    Signed with the old key by the machine itself; or, where that was lost, by any member with the envelope of the
    root's :class:`~roosync_p2p.trust.statements.KeyLost`.
    """

    machine: MachineId
    key_id: Digest
    leaf: _Der
    issuer: _Der
    statement: _Statement = b""


class MemberLeave(OrderedBody, frozen=True, kw_only=True):
    """The author leaves, honourably."""

    reason: Line = ""


class MemberRetire(OrderedBody, frozen=True, kw_only=True):
    """An issuer lets a machine go, honourably: nobody expects it back."""

    machine: Machine
    reason: Line = ""


MEMBER_SETTLE: Final = "member.settle"


class MemberSettle(OrderedBody, frozen=True, kw_only=True):
    """An issuer settles a fork: of all entries in this place this one is kept.

    Where that place has a number already, ``sequence`` and ``keep`` are the newest entry with one, which settles what
    is before it, and the fork itself is ``fork_sequence`` and ``fork_keep``. The ledger does not read those.
    """

    machine: Machine
    incarnation: Annotated[int, msgspec.Meta(ge=1, le=limits.INCARNATION_MAX)]
    chain: Annotated[str, msgspec.Meta(pattern=r"\A(ledger|mail)\Z")]
    sequence: Positive
    keep: Digest
    fork_sequence: Annotated[int, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)] = 0
    fork_keep: Annotated[bytes, msgspec.Meta(max_length=32)] = b""

    @property
    def kept(self) -> tuple[int, bytes]:
        """Where the chain forked, and the id that is kept there."""
        return (self.fork_sequence, self.fork_keep) if self.fork_sequence else (self.sequence, self.keep)


# --- claims -------------------------------------------------------------------------------------------------------


class ClaimAcquire(OrderedBody, frozen=True, kw_only=True):
    """The session wants to be the one holder of a name.

    Attributes:
        session: what tells agents of one machine apart. Whoever knows the session's secret speaks for it; the secret
            is known to the author's node alone, and never in a body.
        queue: wait in line if it is held.
        wait_until_ms: in commit time; who is still in line then is passed over. None waits for ever.
    """

    name: ClaimName
    ttl_ms: Ttl
    session: Session
    workspace: Workspace = ""
    note: Line = ""
    queue: bool = False
    wait_until_ms: TimeMs | None = None


class ClaimRenew(OrderedBody, frozen=True, kw_only=True):
    """The holder goes on, for so long from now."""

    name: ClaimName
    token: Positive
    session: Session
    ttl_ms: Ttl


class ClaimRelease(OrderedBody, frozen=True, kw_only=True):
    """The holder is done, or leaves the line.

    Attributes:
        token: of the acquisition; 0 where it is not known yet.
        entry: id of the entry that asked for the claim: of that alone, where it is given.
    """

    name: ClaimName
    session: Session
    token: Count = 0
    entry: Annotated[bytes, msgspec.Meta(max_length=32)] = b""


class ClaimSteal(OrderedBody, frozen=True, kw_only=True):
    """An approver takes a claim from whoever holds it."""

    name: ClaimName
    ttl_ms: Ttl
    session: Session
    workspace: Workspace = ""
    note: Line = ""
    reason: Line = ""


class RequestWithdraw(OrderedBody, frozen=True, kw_only=True):
    """The author takes back an entry of its own: a claim is released, a pending decision rejected.

    Attributes:
        entry: id of that entry.
        name: of the claim, where it asked for one.
    """

    entry: Digest
    name: Annotated[str, msgspec.Meta(max_length=limits.CLAIM_NAME_CHARS_MAX)] = ""


# --- the fleet ----------------------------------------------------------------------------------------------------


class RulesSupport(OrderedBody, frozen=True, kw_only=True):
    """The author's program knows the rules up to this version."""

    version: Positive


class RulesActivate(OrderedBody, frozen=True, kw_only=True):
    """From here on these rules. ``approve``: the author approves at once, where it may."""

    version: Positive
    approve: bool = False


class VotersPrefer(OrderedBody, frozen=True, kw_only=True):
    """Who should rather vote. ``approve``: the author approves at once, where it may."""

    machines: Annotated[tuple[Machine, ...], msgspec.Meta(max_length=limits.STATEMENT_MACHINES_MAX)]
    approve: bool = False


class PolicySet(OrderedBody, frozen=True, kw_only=True):
    """A policy gets another value.

    Attributes:
        value: canonical JSON; empty goes back to the default.
        approve: the author approves at once, where it may.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.WORD_CHARS_MAX)]
    value: Annotated[bytes, msgspec.Meta(max_length=limits.POLICY_BYTES_MAX)] = b""
    reason: Note = ""
    approve: bool = False


class ConfigPublish(OrderedBody, frozen=True, kw_only=True):
    """A machine publishes a version of a configuration, whose bytes are a blob."""

    target: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,63}\Z")]
    sha256: Digest
    size: Count
    note: Line = ""
