"""``roosync-admin revoke``: the statement that a machine is out, and bringing it among the others (trust.md §7)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import Identity, load_identity
from roosync_p2p.admin.office import Office, ask_node, directory_of, open_office, read_store
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.core.revocations import REVOCATION
from roosync_p2p.core.rows import ChainHeads, Loaded, PendingRow, RecordRow
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.errors import InputFault, UndecidedError, UsageError
from roosync_p2p.ids import Chain, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import ROOT_AUTHOR, Directory, issuer_author
from roosync_p2p.trust.envelopes import verify
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import MEMBER_REMOVE, Cut, Revocation, carrier_body, seal_statement

__all__ = [
    "PlannedRevocation",
    "cut_shown",
    "entry_text",
    "last_counting",
    "plan_revocation",
    "revocation_lines",
    "revoke_machine",
]

_ID_BYTES = 32
_SERIAL_BYTES = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRevocation:
    """A statement before it is signed.

    Attributes:
        by_root: it takes the root's key, because the machine is an issuer.
    """

    statement: Revocation
    by_root: bool
    identity: Identity

    def sealed(self, root: Callable[[], SigningKey]) -> bytes:
        """Signed, by the root where that is needed, else by this machine's issuer key."""
        fleet = self.identity.fleet
        if self.by_root:
            return seal_statement(root(), self.statement, fleet=fleet, author=ROOT_AUTHOR)
        assert self.identity.issuer_key is not None
        author = issuer_author(self.identity.machine)
        return seal_statement(self.identity.issuer_key, self.statement, fleet=fleet, author=author)


def plan_revocation(
    home: Home, machine: MachineId, *, reason: str, last_ledger: int | None, last_mail: int | None
) -> PlannedRevocation:
    """What the statement would say, from what this home holds.

    Args:
        last_ledger, last_mail: the last entry of each chain that still counts, in the machine's newest incarnation;
            None: the newest that is held here.

    Raises:
        InputFault: this machine itself (``own_machine``), nobody known (``no_such_machine``), or no issuer.
        UsageError: an entry that is not held here (``no_such_entry``).
        EnvironmentFault, StoreError: identity or store.
    """
    identity = load_identity(home.path)
    if machine == identity.machine:
        raise InputFault(
            f"{machine} is this machine; nothing was signed",
            code="own_machine",
            remedy="run this on another issuer; `roosync leave` is the honourable way",
        )
    loaded = read_store(home)
    directory = directory_of(identity, loaded)
    keys = _keys(machine, directory)
    by_root = any(i.machine == machine and i.key_id not in directory.given_up for i in directory.issuers.values())
    if not by_root and not identity.is_issuer:
        issuers = sorted({issuer.machine for issuer in directory.issuers.values()})
        raise InputFault(
            f"{identity.machine} is not an issuer; nothing was signed",
            code="not_an_issuer",
            remedy=f"run this on {' or '.join(issuers)}",
        )
    statement = Revocation(
        machine=machine,
        keys=keys,
        reason=reason,
        ledger=last_counting(loaded, machine, LEDGER, last_ledger),
        mail=last_counting(loaded, machine, MAIL, last_mail),
        serial=os.urandom(_SERIAL_BYTES),
    )
    return PlannedRevocation(statement=statement, by_root=by_root, identity=identity)


def revoke_machine(home: Home, planned: PlannedRevocation, envelope: bytes) -> JsonObject:
    """Brings a signed revocation to the running node, or into the store where none runs.

    Raises:
        InputFault: the node does not take it.
        EnvironmentFault, StoreError: the home or its store.
    """
    said = planned.statement
    document: JsonObject = {
        "machine": said.machine,
        "keys": [key.hex() for key in said.keys],
        "ledger": cut_shown(said.ledger),
        "mail": cut_shown(said.mail),
        "reason": said.reason,
        "by": "root" if planned.by_root else planned.identity.machine,
    }
    if ask_node(home, lambda client: client.revoke(envelope)) is None:
        with open_office(home, "roosync-admin revoke") as office:
            _keep(office, said, envelope)
        return {**document, "commit_number": None, "waits_for": "this machine's node, which does not run"}
    try:
        ordered = SyncClient(home.path).carry_statement(MEMBER_REMOVE, envelope)
    except UndecidedError as error:
        return {**document, "commit_number": None, "waits_for": error.message}
    return {**document, "commit_number": ordered["commit_number"], "waits_for": None}


def revocation_lines(planned: PlannedRevocation) -> list[str]:
    """What a person has to see before they sign."""
    said = planned.statement
    return [
        f"machine:            {said.machine}",
        *(f"key:                {key.hex()}" for key in said.keys),
        f"last ledger entry:  {entry_text(said.ledger)}",
        f"last mail entry:    {entry_text(said.mail)}",
        f"signed by:          {'the root' if planned.by_root else planned.identity.machine}",
    ]


def _keys(machine: MachineId, directory: Directory) -> tuple[bytes, ...]:
    """Every key that is known of a machine, its issuer keys included."""
    own = [member.key_id for name, member in directory.members.items() if name == machine]
    former = [key_id for name, key_id in directory.former if name == machine]
    issuers = [issuer.key_id for issuer in directory.issuers.values() if issuer.machine == machine]
    if not own and not former:
        raise InputFault(
            f"{machine} is not known here; nothing was signed",
            code="no_such_machine",
            remedy="see `roosync-admin list`",
            details={"machine": machine},
        )
    return tuple(sorted({*own, *former, *issuers}))


def last_counting(loaded: Loaded, machine: MachineId, chain: Chain, last: int | None = None) -> Cut | None:
    """The last entry of a chain that counts: in its newest incarnation the one asked for, else the newest held here.

    Raises:
        UsageError: an entry that is not held here (``no_such_entry``).
    """
    held = [heads for heads in loaded.chains if (heads.author, heads.chain) == (machine, chain) and heads.ids]
    if not held:
        return None
    newest = max(held, key=lambda heads: heads.incarnation)
    sequence = _head(newest) if last is None else last
    if last == 0:
        return Cut(incarnation=newest.incarnation, sequence=0)
    if not newest.floor <= sequence <= _head(newest):
        raise UsageError(
            f"{machine} has the {chain} entries {newest.floor} to {_head(newest)} here; nothing was signed",
            code="no_such_entry",
        )
    at = (sequence - newest.floor) * _ID_BYTES
    return Cut(incarnation=newest.incarnation, sequence=sequence, id=newest.ids[at : at + _ID_BYTES])


def _head(heads: ChainHeads) -> int:
    return heads.floor + len(heads.ids) // _ID_BYTES - 1


def _keep(office: Office, said: Revocation, envelope: bytes) -> None:
    """The node finds both at its start: the record to pass on, and the entry to write."""
    verified = verify(
        envelope, context=contexts.STATEMENT, directory=office.directory, size_max=limits.RECORD_BYTES_MAX
    )
    office.commit(
        [
            RecordRow(
                kind=REVOCATION,
                author=said.machine,
                subject=verified.digest.hex(),
                start=0,
                counter=0,
                envelope=envelope,
            ),
            PendingRow(number=office.next_pending(), kind=MEMBER_REMOVE, body=carrier_body(envelope)),
        ]
    )


def cut_shown(cut: Cut | None) -> JsonObject | None:
    """A cut as documents show it."""
    return None if cut is None else {"incarnation": cut.incarnation, "sequence": cut.sequence, "id": cut.id.hex()}


def entry_text(cut: Cut | None) -> str:
    """A cut for people."""
    return "none" if cut is None else f"{cut.sequence} of incarnation {cut.incarnation}"
