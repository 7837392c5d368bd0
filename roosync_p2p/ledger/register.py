"""Who is a member with which roles: the register, as ordered (docs/protocol/ledger.md §5).

What rules ask again and again (who may approve, which key signs for whom) is derived once for each register and kept
with the state, as long as its ``register`` key stands, which holds the number of the commit that changed it last.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar, cast

from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import Record
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.state import REGISTER, Reader, State
from roosync_p2p.ledger.stored import read
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.roles import APPROVER, ISSUER, OBSERVER

__all__ = [
    "FLEET",
    "FleetState",
    "IssuerState",
    "MemberState",
    "PersonState",
    "Register",
    "issuer_key",
    "member_key",
    "person_key",
    "register_changed",
    "register_of",
    "register_of_draft",
]

FLEET: Final = "fleet"
R = TypeVar("R")

_ENVELOPE_MAP: Final = b"\x86"  # an envelope has six fields; the first four are a, c, f, k
_FOUR_FIELDS: Final = b"\x84"


class FleetState(Record, frozen=True, kw_only=True):
    """That the fleet was founded. ``id`` is the fleet id."""

    name: str
    founder: str
    id: bytes
    number: int


class MemberState(Record, frozen=True, kw_only=True):
    """A machine that is or was a member.

    Attributes:
        key: its key id.
        former, former_cut: the key that was lost before it, and up to which (incarnation, sequence) what that signed
            still gets numbers.
        number, by: the commit that admitted it, and the issuer's machine.
        since_ms: commit time of that.
        ended: how it ended: ``left``, ``retired``, ``removed``; empty while it is present.
        ended_number: the commit that ended it.
        cut: after the end, up to which (incarnation, sequence) its entries still get numbers.
    """

    key: bytes
    roles: tuple[str, ...]
    number: int
    by: str
    since_ms: int
    ended: str = ""
    ended_number: int = 0
    cut: tuple[int, int] = (0, 0)
    reason: str = ""
    former: bytes = b""
    former_cut: tuple[int, int] = (0, 0)


class IssuerState(Record, frozen=True, kw_only=True):
    """An issuer's certificate, DER, and the machine where its key lives."""

    machine: str
    certificate: bytes


class PersonState(Record, frozen=True, kw_only=True):
    """A person who approves. ``key`` are the raw 32 bytes of the public key."""

    key: bytes
    label: str
    number: int


def member_key(machine: str) -> str:
    """State key of a member."""
    return f"member/{machine}"


def person_key(person: str) -> str:
    """State key of a person."""
    return f"person/{person}"


def issuer_key(key_id: bytes) -> str:
    """State key of an issuer's certificate."""
    return f"issuer/{key_id.hex()}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Register:
    """The register at one commit number.

    Attributes:
        fleet: None before the fleet was founded.
        members: also those whose membership ended.
        persons: those who approve now.
    """

    root: bytes
    fleet: FleetState | None
    members: Mapping[str, MemberState]
    persons: Mapping[str, PersonState]
    issuers: tuple[IssuerState, ...]

    def present(self, machine: str) -> MemberState | None:
        """The member of that name, if it is one now."""
        member = self.members.get(machine)
        return None if member is None or member.ended else member

    def ended(self, machine: str) -> bool:
        """Whether it was a member, and is none any more."""
        member = self.members.get(machine)
        return member is not None and bool(member.ended)

    def belonged(self, number: int) -> list[str]:
        """Who was a member when that commit was the newest. Of a name that came back only its last time is known."""
        return [m for m, s in self.members.items() if s.number <= number and not (s.ended and s.ended_number <= number)]

    def has_role(self, machine: str, role: str) -> bool:
        """Whether it is a member with that role now."""
        member = self.present(machine)
        return member is not None and role in member.roles

    @functools.cached_property
    def acting(self) -> tuple[str, ...]:
        """Members that are more than observers, sorted."""
        return tuple(sorted(m for m, s in self.members.items() if not s.ended and OBSERVER not in s.roles))

    @functools.cached_property
    def approvers(self) -> tuple[str, ...]:
        """Machines that may approve while there is no person, sorted."""
        return tuple(machine for machine in self.acting if APPROVER in self.members[machine].roles)

    @functools.cached_property
    def root_directory(self) -> Directory:
        """Knows the root, and the issuer keys of machines that are issuers now."""
        directory = Directory.found(self.root)
        for issuer in self.issuers:
            if self.has_role(issuer.machine, ISSUER):
                directory = directory.with_issuer(issuer.certificate)
        return directory

    @functools.cached_property
    def _signed_beginnings(self) -> Mapping[str, tuple[bytes, bytes]]:
        assert self.fleet is not None
        fleet = self.fleet.id
        return {
            machine: (
                _beginning(machine, state.key, fleet),
                _beginning(machine, state.former, fleet) if state.former else b"",
            )
            for machine, state in self.members.items()
        }

    def signs(self, machine: str, envelope: bytes, place: tuple[int, int]) -> bool:
        """Whether an entry's envelope names the key that the register has for its author at that place.

        The signature itself was verified by the caller of the ledger. An envelope is canonical, so up to the key it
        can have only these bytes. Of a key that was lost what stands up to the cut goes on to count.
        """
        beginnings = self._signed_beginnings.get(machine)
        if beginnings is None:
            return False
        now, former = beginnings
        if envelope.startswith(now):
            return True
        return bool(former) and place <= self.members[machine].former_cut and envelope.startswith(former)


def register_of(state: State, root: bytes) -> Register:
    """The register of a state, derived once for as long as it stands."""
    known = state.memo.get(REGISTER)
    if known is None:
        known = state.memo[REGISTER] = _derive(state, root)
    return cast("Register", known)


def register_of_draft(draft: Draft) -> Register:
    """The register as it will be: the state's, unless this commit changed it."""
    return _derive(draft, draft.root) if REGISTER in draft.changes else register_of(draft.state, draft.root)


def register_changed(draft: Draft) -> None:
    """Says that this commit changes the register; called by whatever does."""
    draft.put(REGISTER, draft.number)


def _derive(reader: Reader, root: bytes) -> Register:
    fleet = reader.get(FLEET)
    return Register(
        root=root,
        fleet=None if fleet is None else read(fleet, FleetState),
        members=_records(reader, "member", MemberState),
        persons=_records(reader, "person", PersonState),
        issuers=tuple(_records(reader, "issuer", IssuerState).values()),
    )


def _records(reader: Reader, table: str, kind: type[R]) -> Mapping[str, R]:
    return MappingProxyType({key.partition("/")[2]: read(value, kind) for key, value in reader.table(table)})


def _beginning(machine: str, key: bytes, fleet: bytes) -> bytes:
    packed = pack({"a": machine, "c": contexts.ENTRY, "f": fleet, "k": key})
    assert packed.startswith(_FOUR_FIELDS)
    return _ENVELOPE_MAP + packed[1:]
