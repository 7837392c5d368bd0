"""Persons who approve: their keys made here, the root's statements about them written by the running node.

A key is on the disk before anybody hears of it. If the ledger refuses the statement, the key goes again; if it is not
decided in time, the key stays, because the statement may still be.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.adapters.person_keys import new_person_key, person_key_path
from roosync_p2p.adapters.system import read_now
from roosync_p2p.api.calls import JsonObject
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import InputFault
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import PersonKey, PersonRemoval, Statement, seal_statement

__all__ = ["Keys", "add_person", "known_persons", "remove_person", "rotate_person"]

_SERIAL_BYTES = 16


class Keys:
    """How the two keys are opened, when they are needed.

    Args:
        root: opens the root key.
        passphrase: asks for the passphrase of a person's new key.
    """

    def __init__(self, *, root: Callable[[], SigningKey], passphrase: Callable[[], bytes]) -> None:
        self.root = root
        self.passphrase = passphrase


def known_persons(home: Home) -> JsonObject:
    """Who approves, as the ledger has it: ``{"persons", "approvers", "as_of", "stale"}``."""
    register = SyncClient(home.path).register()
    return {name: register[name] for name in ("persons", "approvers", "as_of", "stale")}


def add_person(home: Home, person: str, label: str, keys: Keys) -> JsonObject:
    """A new person with a new key in this home.

    Raises:
        InputFault: ``already_known``, ``person_key_exists``; a passphrase; what the ledger refuses.
        UndecidedError: it is not decided yet; the key is there.
    """
    if person in _keys(home):
        raise InputFault(
            f"{person} approves already; nothing was changed",
            code="already_known",
            remedy=f"roosync-admin person rotate {person}",
        )
    path = person_key_path(home.path, person)
    if path.exists():
        raise InputFault(
            f"{path} is there already; nothing was changed", code="person_key_exists", remedy="move it away first"
        )
    return _with_new_key(home, "person.add", person, label, keys)


def rotate_person(home: Home, person: str, label: str, keys: Keys) -> JsonObject:
    """A known person with another key, made in this home.

    Raises:
        InputFault: ``unknown_person``; a passphrase; what the ledger refuses.
        UndecidedError: it is not decided yet; the new key lies beside the old one.
    """
    replaces = _require_known(home, person)
    return _with_new_key(home, "person.rotate", person, label, keys, replaces=replaces)


def remove_person(home: Home, person: str, root: Callable[[], SigningKey]) -> JsonObject:
    """The person approves no more. Their key file stays, and opens nothing.

    Raises:
        InputFault: ``unknown_person``; a passphrase; what the ledger refuses.
    """
    _require_known(home, person)
    statement = PersonRemoval(person=person, serial=os.urandom(_SERIAL_BYTES), not_after_ms=_not_after_ms())
    return {"person": person, **_carried(home, "person.remove", statement, root())}


def _with_new_key(home: Home, kind: str, person: str, label: str, keys: Keys, *, replaces: bytes = b"") -> JsonObject:
    root = keys.root()
    made = new_person_key(home.path, person, keys.passphrase())
    statement = PersonKey(
        person=person,
        key=made.key.public.raw,
        replaces=replaces,
        label=label,
        serial=os.urandom(_SERIAL_BYTES),
        not_after_ms=_not_after_ms(),
    )
    try:
        ordered = _carried(home, kind, statement, root)
    except InputFault:
        made.discard()
        raise
    made.install()
    return {"person": person, "key": made.key.public.raw.hex(), "file": str(made.path), **ordered}


def _carried(home: Home, kind: str, statement: Statement, root: SigningKey) -> JsonObject:
    envelope = seal_statement(root, statement, fleet=load_identity(home.path).fleet)
    ordered = SyncClient(home.path).carry_statement(kind, envelope)
    return {"commit_number": ordered["commit_number"], "time": ordered["time"]}


def _not_after_ms() -> int:
    """A statement that is not ordered by then is void: none turns up years later."""
    return read_now().wall_ms + limits.STATEMENT_LIFE_S * 1000


def _keys(home: Home) -> dict[str, bytes]:
    """The persons of the fleet with their keys."""
    rows = SyncClient(home.path).register()["persons"]
    return {str(row["person"]): bytes.fromhex(row["key"]) for row in rows}


def _require_known(home: Home, person: str) -> bytes:
    """The key of a person.

    Raises:
        InputFault: ``unknown_person``.
    """
    keys = _keys(home)
    if person not in keys:
        raise InputFault(
            f"there is no person {person} in this fleet; nothing was changed",
            code="unknown_person",
            remedy="there are: " + ", ".join(sorted(keys)) if keys else "roosync-admin person add NAME",
        )
    return keys[person]
