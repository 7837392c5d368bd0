"""Which revocation counts, and what several of them say together (docs/protocol/trust.md §7).

A revocation names keys by their ids, never certificates: whoever re-encodes a certificate, or has another one made for
the same key, is revoked all the same. Of several the lowest cut of each chain holds, and every key that one of them
names is given up; so it does not matter in which order they are heard.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

from roosync_p2p.codec import records
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.ids import KeyId, MachineId, parse_machine_id
from roosync_p2p.trust.directory import ROOT_AUTHOR, Directory, issuer_machine
from roosync_p2p.trust.envelopes import Verified
from roosync_p2p.trust.statements import Cut, Revocation

__all__ = ["NOTHING_MORE", "Place", "Revoked", "keys_of_others", "read_revocation", "revoked_by"]

Place = tuple[int, int]  # (incarnation, sequence) in one chain
NOTHING_MORE: Final[Place] = (1, 0)  # the cut of a chain of which a statement names no entry


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """What all statements about one machine say together.

    Attributes:
        keys: that say nothing new.
        ledger, mail: the last place of each chain, signed with such a key, that still counts.
        reason: of the newest statement that gives one.
    """

    machine: MachineId
    keys: frozenset[KeyId]
    ledger: Place
    mail: Place
    reason: str

    def cut(self, chain: str) -> Place:
        """Up to where that chain counts."""
        return self.mail if chain == "mail" else self.ledger


def read_revocation(verified: Verified, directory: Directory) -> Revocation:
    """The revocation in an envelope whose signature was verified, if its signer may say it.

    Raises:
        MalformedError: it does not parse, names no key, or a machine id not in canonical form.
        UntrustedError: by a machine's own key (``not_an_issuer``), by an issuer key that was given up
            (``key_revoked``), by an issuer about an issuer (``needs_root``), or about a key of somebody else
            (``other_key``).
    """
    said = records.decode(verified.payload, Revocation)
    if parse_machine_id(said.machine) != said.machine or not said.keys:
        raise MalformedError("a revocation names a machine and its keys", code="bad_field")
    keys = frozenset(map(KeyId, said.keys))
    if verified.author != ROOT_AUTHOR:
        _require_issuer(verified, said.machine, directory)
    if keys & keys_of_others(said.machine, directory):
        raise UntrustedError(f"a revocation of {said.machine} names a key of somebody else", code="other_key")
    return said


def revoked_by(statements: Iterable[Revocation]) -> Revoked:
    """What statements about one machine say together; at least one."""
    said = list(statements)
    return Revoked(
        machine=said[0].machine,
        keys=frozenset(KeyId(key) for one in said for key in one.keys),
        ledger=min(_place(one.ledger) for one in said),
        mail=min(_place(one.mail) for one in said),
        reason=next((one.reason for one in reversed(said) if one.reason), ""),
    )


def _place(cut: Cut | None) -> Place:
    return NOTHING_MORE if cut is None else (cut.incarnation, cut.sequence)


def _require_issuer(verified: Verified, machine: MachineId, directory: Directory) -> None:
    if issuer_machine(verified.author) is None:
        raise UntrustedError(f"{verified.author} is no issuer: it revokes nobody", code="not_an_issuer")
    if verified.key_id in directory.given_up:
        raise UntrustedError(f"the key of {verified.author} was revoked itself", code="key_revoked")
    if any(i.machine == machine and i.key_id not in directory.given_up for i in directory.issuers.values()):
        raise UntrustedError(f"{machine} is an issuer: the root revokes it, nobody else", code="needs_root")


def keys_of_others(machine: MachineId, directory: Directory) -> frozenset[KeyId]:
    """Keys that a statement about this machine must not give up: the name decides who may say it."""
    members = {member.key_id for name, member in directory.members.items() if name != machine}
    former = {key_id for name, key_id in directory.former if name != machine}
    issuers = {issuer.key_id for issuer in directory.issuers.values() if issuer.machine != machine}
    return frozenset({*members, *former, *issuers, directory.root.public.key_id})
