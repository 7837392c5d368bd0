"""Reading the files of an identity, one by one, and the words for what is wrong with one of them.

Each error names the file, says that nothing was changed, and what helps. How the files belong together is in
:mod:`~roosync_p2p.adapters.keystore`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import explained, this_platform
from roosync_p2p.errors import EnvironmentFault, InputFault, MalformedError, PeerFault, RoosyncError
from roosync_p2p.trust.enrolment import certificates_from_pem
from roosync_p2p.trust.keys import SigningKey

__all__ = [
    "corrupt_file",
    "load_certificates",
    "load_key",
    "mismatching_file",
    "read_file",
    "remove_folder",
]


def load_key(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """The private key in a file that only its owner can read.

    Raises:
        EnvironmentFault: missing, open to others, or damaged.
        InputFault: encrypted, and the passphrase is missing or wrong (``passphrase_needed``, ``wrong_passphrase``).
    """
    data = read_file(path)
    this_platform().check(path)
    try:
        return SigningKey.from_pem(data, passphrase)
    except MalformedError as error:
        if error.code in ("passphrase_needed", "wrong_passphrase"):
            raise InputFault(f"{path}: {error.message}", code=error.code) from error
        raise corrupt_file(path, error) from error


def load_certificates(path: Path, *, count: int) -> tuple[bytes, ...]:
    """The DER of exactly so many certificates in a PEM file.

    Raises:
        EnvironmentFault: missing, or damaged.
    """
    data = read_file(path)
    try:
        ders = certificates_from_pem(data)
    except PeerFault as error:
        raise corrupt_file(path, error) from error
    if len(ders) != count:
        raise corrupt_file(path, MalformedError(f"{len(ders)} certificates where {count} belong"))
    return ders


def read_file(path: Path) -> bytes:
    """The bytes of a file of the identity, up to a bound that none of them reaches.

    Raises:
        EnvironmentFault: missing (``identity_incomplete``), or the disk.
    """
    if not path.is_file():
        raise EnvironmentFault(
            f"{path} is missing; nothing was changed",
            code="identity_incomplete",
            remedy="bring the file back from a backup, or enrol this machine again under a new machine id",
            details={"path": str(path)},
        )
    with explained(path, "read"), path.open("rb") as file:
        return file.read(limits.ENTRY_BODY_BYTES_MAX)


def remove_folder(folder: Path) -> None:
    """Removes a folder with everything in it, if it is there.

    Raises:
        EnvironmentFault: the disk.
    """
    if folder.is_dir():
        with explained(folder, "remove"):
            shutil.rmtree(folder)


def corrupt_file(path: Path, error: RoosyncError) -> EnvironmentFault:
    """The error for a file that does not parse."""
    return EnvironmentFault(
        f"{path} is damaged: {error.message}; nothing was changed",
        code="identity_corrupt",
        remedy="bring the file back from a backup",
        details={"path": str(path)},
    )


def mismatching_file(path: Path, why: str) -> EnvironmentFault:
    """The error for a file that parses and does not fit the others."""
    return EnvironmentFault(
        f"{path} does not belong with the other files: {why}; nothing was changed",
        code="identity_mismatch",
        remedy="bring all files of the identity back from one backup",
        details={"path": str(path)},
    )
