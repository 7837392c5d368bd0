"""Passphrases of the root key, from the terminal or from the file that a script names; and of persons' new keys.

None is ever an argument, logged, or in JSON.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roosync_p2p.adapters.keystore import load_root_key
from roosync_p2p.adapters.permissions import explained
from roosync_p2p.api.passphrases import PASSPHRASE_FILE, ask_passphrase, encode_passphrase
from roosync_p2p.core.text import decode_text
from roosync_p2p.errors import InputFault, UsageError
from roosync_p2p.trust.keys import SigningKey

__all__ = ["backup_passphrase", "file_is_open_to_others", "new_passphrase", "new_person_passphrase", "open_root_key"]

_FILE_BYTES_MAX: Final = 4096  # a sentence, not a document


def new_passphrase(environ: Mapping[str, str], *, none_wanted: bool) -> bytes | None:
    """The passphrase for a new root key, asked twice; None only where ``--no-passphrase`` asks for that.

    Raises:
        InputFault: an empty one (``passphrase_empty``), no terminal to ask at (``passphrase_needed``), or the file.
        UsageError: ``--no-passphrase`` beside a file that holds one.
    """
    from_file = _from_file(environ)
    if none_wanted:
        if from_file:
            raise UsageError(
                f"--no-passphrase and {PASSPHRASE_FILE} contradict each other; nothing was changed",
                remedy=f"use one of the two: unset {PASSPHRASE_FILE}",
            )
        return None
    chosen = _ask("Passphrase for the root key", twice=True) if from_file is None else from_file
    if not chosen:
        raise InputFault(
            "the passphrase is empty; nothing was changed",
            code="passphrase_empty",
            remedy="choose one, or leave the root key open to whoever reads the file with --no-passphrase",
        )
    return encode_passphrase(chosen)


def new_person_passphrase(person: str) -> bytes:
    """The passphrase for a person's new key, asked twice, at the terminal alone: no program speaks for a person.

    Raises:
        InputFault: an empty one (``passphrase_empty``), or no terminal to ask at (``passphrase_needed``).
    """
    chosen = ask_passphrase(
        f"Passphrase for the key of {person}", twice=True, whose=f"{person}'s", remedy="run this in a terminal"
    )
    if not chosen:
        raise InputFault(
            "the passphrase is empty; nothing was changed",
            code="passphrase_empty",
            remedy="choose one: it is what keeps programs from approving in a person's name",
        )
    return encode_passphrase(chosen)


def backup_passphrase(file: Path | None, *, twice: bool) -> bytes:
    """The passphrase that seals a backup: from a file that somebody named, else asked.

    Raises:
        InputFault: an empty one (``passphrase_empty``), no terminal to ask at (``passphrase_needed``), or the file.
    """
    if file is not None:
        chosen = _from_file({PASSPHRASE_FILE: str(file)}) or ""
    else:
        remedy = "run this in a terminal, or name a file that holds it with --passphrase-file"
        chosen = ask_passphrase("Passphrase of the backup", twice=twice, whose="the backup's", remedy=remedy)
    if not chosen:
        raise InputFault("the passphrase is empty; nothing was changed", code="passphrase_empty", remedy="choose one")
    return encode_passphrase(chosen)


def open_root_key(home: Path, environ: Mapping[str, str]) -> SigningKey:
    """The root key; asks for its passphrase if it has one. The caller holds it no longer than one statement takes.

    Raises:
        EnvironmentFault: it is not here (``root_key_elsewhere``), or damaged.
        InputFault: ``wrong_passphrase``, ``passphrase_needed``.
    """
    try:
        return load_root_key(home, None)
    except InputFault as fault:
        if fault.code != "passphrase_needed":
            raise
    given = _from_file(environ)
    passphrase = encode_passphrase(_ask("Passphrase of the root key", twice=False) if given is None else given)
    try:
        return load_root_key(home, passphrase)
    except InputFault as fault:
        raise InputFault(
            f"{fault.message}; nothing was changed",
            code=fault.code,
            remedy="try again; a lost passphrase cannot be recovered, only a backup with a known one",
        ) from fault


def file_is_open_to_others(environ: Mapping[str, str]) -> bool:
    """Whether others can read the passphrase file. Only looked at on POSIX, and only of plain files."""
    named = environ.get(PASSPHRASE_FILE)
    if not named or os.name == "nt":
        return False
    with explained(Path(named), "read"):
        mode = Path(named).stat().st_mode
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def _from_file(environ: Mapping[str, str]) -> str | None:
    named = environ.get(PASSPHRASE_FILE)
    if not named:
        return None
    with explained(Path(named), "read"), Path(named).open("rb") as file:
        data = file.read(_FILE_BYTES_MAX + 1)
    text = decode_text(data, what=named).removesuffix("\n").removesuffix("\r")
    if len(data) > _FILE_BYTES_MAX or "\n" in text:
        raise InputFault(
            f"{named} holds more than one line, or more than {_FILE_BYTES_MAX} bytes; nothing was changed",
            code="bad_passphrase_file",
            remedy=f"{PASSPHRASE_FILE} names a file with the passphrase alone",
        )
    return text


def _ask(prompt: str, *, twice: bool) -> str:
    return ask_passphrase(
        prompt,
        twice=twice,
        whose="the root key's",
        remedy=f"run this in a terminal, or name a file that holds it in {PASSPHRASE_FILE}",
    )
