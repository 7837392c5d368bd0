"""The first entry of a chain, and what a new life of a store must show (docs/protocol/entries.md §3).

An incarnation is one unbroken life of a store. The first one needs nothing but the certificates. Every later one says
where each chain stood when the store was lost, and carries an issuer's (or the root's) countersignature over that,
so that a copied disk cannot give itself a new life.
"""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode, encode
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.ids import Chain, FleetId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import ROOT_AUTHOR, Directory, issuer_author
from roosync_p2p.trust.envelopes import seal, verify
from roosync_p2p.trust.keys import SigningKey

__all__ = [
    "ChainStart",
    "Known",
    "Renewal",
    "check_renewal",
    "countersign",
    "open_countersignature",
    "read_chain_start",
    "vouched_by",
]


class Known(Record, frozen=True, kw_only=True):
    """Where a chain stood: the last entry that anybody showed."""

    incarnation: int
    sequence: int
    id: bytes


class ChainStart(Record, frozen=True, kw_only=True):
    """Body of the first entry of a chain: the machine's certificates, its store, and why there is a new life."""

    leaf: bytes
    issuer: bytes
    store: bytes
    previous: Known | None = None
    countersignature: bytes | None = None


class Renewal(Record, frozen=True, kw_only=True):
    """What an issuer countersigns: this machine begins this incarnation in this store, after these last entries."""

    machine: str
    incarnation: int
    store: bytes
    ledger: Known | None
    mail: Known | None

    def last(self, chain: Chain) -> Known | None:
        """Where that chain stood."""
        return self.ledger if chain == LEDGER else self.mail


def read_chain_start(entry: Entry, directory: Directory) -> ChainStart:
    """The body of a first entry, with everything checked that a stranger could have made up.

    The certificates in it must already be in the directory.

    Raises:
        MalformedError: no body, or it does not parse.
        UntrustedError: a later incarnation without a valid countersignature for exactly this beginning.
    """
    if entry.body is None:
        raise MalformedError("the first entry of a chain came without its body", code="body_missing")
    start = decode(entry.body, ChainStart, size_max=limits.ENTRY_BODY_BYTES_MAX)
    if len(start.store) != 16:
        raise MalformedError("a store id has 16 bytes", code="bad_field")
    if entry.header.incarnation == 1:
        if start.previous is not None or start.countersignature is not None:
            raise MalformedError("a first incarnation follows nothing", code="bad_incarnation")
        return start
    if start.countersignature is None:
        raise UntrustedError(
            f"incarnation {entry.header.incarnation} of {entry.author} carries no issuer's countersignature",
            code="not_countersigned",
        )
    renewal = open_countersignature(start.countersignature, directory)
    claimed = (entry.author, entry.header.incarnation, start.store, start.previous)
    if claimed != (renewal.machine, renewal.incarnation, renewal.store, renewal.last(entry.chain)):
        raise UntrustedError(
            f"the countersignature of {entry.author} is for another beginning than incarnation "
            f"{entry.header.incarnation}",
            code="not_countersigned",
        )
    return start


def countersign(key: SigningKey, *, author: str, fleet: FleetId, renewal: Renewal) -> bytes:
    """An issuer's (or the root's) word that a store may begin this incarnation.

    The caller has checked that nobody knows of newer entries than those named, and that the machine is not in
    conflict.
    """
    return seal(key, context=contexts.INCARNATION, fleet=fleet, author=author, payload=encode(renewal))


def open_countersignature(data: bytes, directory: Directory) -> Renewal:
    """The renewal that was countersigned.

    Raises:
        PeerFault: not an envelope of that purpose, tampered with, or not by an issuer or the root.
        UntrustedError: countersigned by the machine's own issuer key.
    """
    verified = verify(data, context=contexts.INCARNATION, directory=directory, size_max=limits.RECORD_BYTES_MAX)
    renewal = decode(verified.payload, Renewal, size_max=limits.RECORD_BYTES_MAX)
    if not vouched_by(verified.author, renewal.machine):
        raise UntrustedError(
            f"{verified.author} cannot countersign for {renewal.machine}: it takes another issuer or the root",
            code="not_an_issuer",
        )
    check_renewal(renewal)
    return renewal


def check_renewal(renewal: Renewal) -> None:
    """Bounds of a renewal, before it is countersigned and after.

    Raises:
        MalformedError: not an incarnation that follows the entries it names, or impossible ones.
    """
    if not 2 <= renewal.incarnation <= limits.INCARNATION_MAX or len(renewal.store) != 16:
        raise MalformedError("a renewal begins at incarnation 2, with a store id of 16 bytes", code="bad_field")
    for known in (renewal.ledger, renewal.mail):
        if known is None:
            continue
        possible = 1 <= known.incarnation < renewal.incarnation and 1 <= known.sequence <= limits.NUMBER_MAX
        if not possible or len(known.id) != 32:
            raise MalformedError("a renewal names an impossible entry", code="bad_field")


def vouched_by(author: str, machine: str) -> bool:
    """Whether that signer may countersign for that machine: the root, or another machine's issuer key."""
    return author == ROOT_AUTHOR or (":" in author and author != issuer_author(MachineId(machine)))
