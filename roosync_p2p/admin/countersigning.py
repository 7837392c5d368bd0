"""The root's word for a store that begins again, when no other issuer can give it (docs/protocol/entries.md §3)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.codec.records import decode
from roosync_p2p.entries.incarnations import Known, Renewal, countersign
from roosync_p2p.errors import InputFault, MalformedError, UntrustedError
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.keys import SigningKey

__all__ = ["Waiting", "countersign_renewal", "renewal_lines", "waiting_renewal"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What this machine's node waits for.

    Attributes:
        reason: why, in the node's words.
        issuers: who could countersign without the root's key.
    """

    renewal: Renewal
    reason: str
    issuers: tuple[str, ...]


def waiting_renewal(home: Home) -> Waiting:
    """What the running node waits for.

    Raises:
        NotRunningError: no node runs here.
        InputFault: it waits for nothing (``nothing_pending``).
        UntrustedError: what it shows is for another machine than this home's.
        MalformedError: what it shows does not parse.
    """
    pending = SyncClient(home.path).pending_countersignature()["pending"]
    if pending is None:
        raise InputFault(
            "this machine's node waits for no countersignature; nothing was signed",
            code="nothing_pending",
            remedy="`roosync status` says what it waits for",
        )
    try:
        data = base64.b64decode(str(pending["renewal"]), validate=True)
    except (KeyError, binascii.Error) as error:
        raise MalformedError("the node shows no renewal that this program can read", code="bad_renewal") from error
    renewal = decode(data, Renewal, size_max=limits.RECORD_BYTES_MAX)
    machine = load_identity(home.path).machine
    if renewal.machine != machine:
        raise UntrustedError(
            f"the node waits in the name of {renewal.machine}, and this home is {machine}; nothing was signed",
            code="wrong_machine",
        )
    return Waiting(
        renewal=renewal,
        reason=str(pending.get("reason", "")),
        issuers=tuple(str(issuer) for issuer in pending.get("issuers", ())),
    )


def countersign_renewal(home: Home, renewal: Renewal, *, root_key: Callable[[], SigningKey]) -> None:
    """Signs with the root's key and hands the signature to the running node.

    The caller has shown the renewal to a person who agreed.

    Raises:
        RoosyncError: the root key cannot be opened, or the node does not take the signature.
    """
    fleet = load_identity(home.path).fleet
    envelope = countersign(root_key(), author=ROOT_AUTHOR, fleet=fleet, renewal=renewal)
    SyncClient(home.path).offer_countersignature(base64.b64encode(envelope).decode())


def renewal_lines(waiting: Waiting) -> list[str]:
    """What a person has to see before they sign."""
    renewal = waiting.renewal
    lines = [
        f"machine:            {renewal.machine}",
        f"why:                {waiting.reason}",
        f"new incarnation:    {renewal.incarnation}",
        f"new store:          {renewal.store.hex()}",
        f"last ledger entry:  {_entry(renewal.ledger)}",
        f"last mail entry:    {_entry(renewal.mail)}",
    ]
    if waiting.issuers:
        lines.append(f"can do this too:    {', '.join(waiting.issuers)}, once linked")
    return lines


def _entry(known: Known | None) -> str:
    if known is None:
        return "none"
    return f"{known.sequence} of incarnation {known.incarnation}, {known.id.hex()}"
