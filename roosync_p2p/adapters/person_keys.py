"""Persons' keys on disk: ``persons/NAME.key`` in a home, PKCS#8, always encrypted (docs/protocol/trust.md §1).

A person's key is opened by the command that asked for the passphrase, and by nothing else: no node ever does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from roosync_p2p.adapters.identity_files import load_key
from roosync_p2p.adapters.keystore import generate_key
from roosync_p2p.adapters.permissions import create_private_directory, replace, write_private
from roosync_p2p.errors import InputFault, UsageError
from roosync_p2p.ids import DEVICE_NAMES
from roosync_p2p.trust.keys import SigningKey

__all__ = ["NewPersonKey", "load_person_key", "new_person_key", "parse_person", "person_key_path", "require_person_key"]

_FOLDER: Final = "persons"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,49}")


class NewPersonKey:
    """A new key, on disk beside the place that it takes with :meth:`install`."""

    def __init__(self, key: SigningKey, draft: Path, path: Path) -> None:
        self.key = key
        self.draft = draft
        self.path = path

    def install(self) -> None:
        """It is the person's key from now on; an older one is gone."""
        replace(self.draft, self.path)

    def discard(self) -> None:
        """It never was."""
        self.draft.unlink(missing_ok=True)


def parse_person(text: str) -> str:
    """A person's name in the fleet.

    Raises:
        UsageError: ``bad_person``.
    """
    name = text.strip().lower()
    if not _NAME.fullmatch(name) or name.partition(".")[0] in DEVICE_NAMES:
        raise UsageError(
            f"{text[:60]!r} is no person's name: 2 to 50 of a-z, 0-9, dot, - and _, first a letter or digit",
            code="bad_person",
        )
    return name


def person_key_path(home: Path, person: str) -> Path:
    """Where a person's key is in a home."""
    return home / _FOLDER / f"{person}.key"


def new_person_key(home: Path, person: str, passphrase: bytes) -> NewPersonKey:
    """A new key for a person, encrypted and on disk, not yet in its place.

    Raises:
        EnvironmentFault: the disk.
    """
    assert passphrase, "a person's key is never open"
    path = person_key_path(home, person)
    if not path.parent.is_dir():
        create_private_directory(path.parent)
    key = generate_key()
    draft = path.with_suffix(".new")
    write_private(draft, key.to_pem(passphrase))
    return NewPersonKey(key, draft, path)


def load_person_key(home: Path, person: str, passphrase: bytes) -> SigningKey:
    """A person's key. The caller holds it no longer than one signature takes.

    Raises:
        InputFault: it is not in this home (``no_person_key``), or the passphrase is wrong (``wrong_passphrase``).
        EnvironmentFault: open to others, or damaged.
    """
    require_person_key(home, person)
    return load_key(person_key_path(home, person), passphrase)


def require_person_key(home: Path, person: str) -> None:
    """Returns if the key is in this home; looked at before a passphrase is asked for.

    Raises:
        InputFault: ``no_person_key``.
    """
    path = person_key_path(home, person)
    if not path.is_file():
        raise InputFault(
            f"the key of {person} is not in this home; nothing was signed",
            code="no_person_key",
            remedy=f"bring it to {path}, or run this where it is",
        )
