"""Which file lies where in the shared folder, and whose it is (docs/protocol/folder.md §2).

A path is relative, with ``/``, in lower-case ASCII, so that it is a legal name on every platform and in every
synchroniser. Whatever does not parse is somebody else's: conflict copies, droppings of sync clients, newer versions.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Chain, MachineId, parse_machine_id

__all__ = [
    "MARKER",
    "ROOT",
    "BlobFile",
    "ChainFile",
    "FolderName",
    "HeartbeatFile",
    "LogFile",
    "RevocationsFile",
    "SegmentFile",
    "certificates_path",
    "heartbeat_path",
    "join_answer_path",
    "join_hello_path",
    "join_request_path",
    "log_folder",
    "parse_path",
    "quarantine_path",
    "revocations_path",
    "segment_folder",
]

ROOT: Final = "p2p/v1"
MARKER: Final = f"{ROOT}/fleet"

_NUMBER: Final = r"[1-9][0-9]{0,18}"
_SEGMENT: Final = re.compile(rf"(ledger|mail)-({_NUMBER})-({_NUMBER})\.seg")
_LOG: Final = re.compile(rf"(0|{_NUMBER})-({_NUMBER})-({_NUMBER})\.seg")
_INCARNATION: Final = re.compile(_NUMBER)
_CERTIFICATES: Final = re.compile(r"[0-9a-f]{16}\.chain")
_REVOCATIONS: Final = re.compile(r"[0-9a-f]{16}\.list")
_BLOB: Final = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatFile:
    """A machine's heartbeat and probe; the one file of the fallback transport that is replaced."""

    owner: MachineId

    @property
    def path(self) -> str:
        """Where it lies."""
        return heartbeat_path(self.owner)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFile:
    """Entries ``first`` to ``last`` of one chain, in their author's part of the folder or in a relay's."""

    owner: MachineId
    author: MachineId
    incarnation: int
    chain: Chain
    first: int
    last: int

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{segment_folder(self.owner, self.author)}/{self.incarnation}/{self.chain}-{self.first}-{self.last}.seg"

    @property
    def key(self) -> ChainKey:
        """Which chain it is of."""
        return self.author, self.incarnation, self.chain


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """Committed items ``first`` to ``last`` of the log, as its owner has them in that epoch."""

    owner: MachineId
    epoch: int
    first: int
    last: int

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{log_folder(self.owner)}/{self.epoch}-{self.first}-{self.last}.seg"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainFile:
    """The certificates of a machine, by the beginning of their hash."""

    owner: MachineId
    path: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsFile:
    """The revocations that a machine knows, by the beginning of the hash of them all."""

    owner: MachineId
    path: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobFile:
    """A blob, for those that no link reaches; its content is only its bytes."""

    owner: MachineId
    digest: bytes

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{ROOT}/{self.owner}/blobs/{self.digest.hex()}"


FolderName: TypeAlias = HeartbeatFile | SegmentFile | LogFile | ChainFile | RevocationsFile | BlobFile


def heartbeat_path(owner: MachineId) -> str:
    """Where a machine's heartbeat lies."""
    return f"{ROOT}/{owner}/heartbeat"


def segment_folder(owner: MachineId, author: MachineId) -> str:
    """Where a machine keeps the segments of an author: its own, or another's that it relays."""
    return f"{ROOT}/{owner}/entries" if owner == author else f"{ROOT}/{owner}/relay/{author}"


def log_folder(owner: MachineId) -> str:
    """Where a machine keeps committed items of the log."""
    return f"{ROOT}/{owner}/log"


def certificates_path(owner: MachineId, digest: bytes) -> str:
    """Where a machine keeps its certificates; another chain has another name, so the file never changes."""
    return f"{ROOT}/{owner}/certificates/{digest.hex()[:16]}.chain"


def revocations_path(owner: MachineId, digest: bytes) -> str:
    """Where a machine keeps the revocations that it knows; more of them have another name."""
    return f"{ROOT}/{owner}/revocations/{digest.hex()[:16]}.list"


def quarantine_path(owner: MachineId, digest: bytes, suffix: str) -> str:
    """Where a machine keeps a copy of what it refused, by the content's hash."""
    return f"{ROOT}/{owner}/quarantine/{digest.hex()[:16]}.{suffix}"


def join_hello_path(issuer: MachineId) -> str:
    """Where an issuer with an open invite leaves its side of the joining conversation."""
    return f"{ROOT}/{issuer}/join/hello"


def join_request_path(joiner: MachineId, invite: bytes) -> str:
    """Where a machine that joins leaves its request."""
    return f"{ROOT}/{joiner}/join/{invite.hex()[:16]}.request"


def join_answer_path(issuer: MachineId, digest: bytes) -> str:
    """Where the issuer leaves the answer to a request with that hash."""
    return f"{ROOT}/{issuer}/join/{digest.hex()[:16]}.answer"


def parse_path(path: str) -> FolderName | None:
    """What a file of the fallback transport is, by its path; None for a file that is none."""
    parts = path.split("/")
    if len(path) > limits.FOLDER_PATH_CHARS_MAX or parts[:2] != ROOT.split("/") or len(parts) < 4:
        return None
    owner = _machine(parts[2])
    if owner is None:
        return None
    match parts[3:]:
        case ["heartbeat"]:
            return HeartbeatFile(owner=owner)
        case ["entries", incarnation, name]:
            return _segment(owner, owner, incarnation, name)
        case ["relay", author, incarnation, name]:
            named = _machine(author)
            return None if named is None or named == owner else _segment(owner, named, incarnation, name)
        case ["log", name]:
            return _log(owner, name)
        case ["certificates", name] if _CERTIFICATES.fullmatch(name):
            return ChainFile(owner=owner, path=path)
        case ["revocations", name] if _REVOCATIONS.fullmatch(name):
            return RevocationsFile(owner=owner, path=path)
        case ["blobs", name] if _BLOB.fullmatch(name):
            return BlobFile(owner=owner, digest=bytes.fromhex(name))
        case _:
            return None


def _machine(text: str) -> MachineId | None:
    try:
        return MachineId(text) if parse_machine_id(text) == text else None
    except MalformedError:
        return None


def _segment(owner: MachineId, author: MachineId, incarnation: str, name: str) -> SegmentFile | None:
    found = _SEGMENT.fullmatch(name)
    if found is None or not _INCARNATION.fullmatch(incarnation) or int(incarnation) > limits.INCARNATION_MAX:
        return None
    first, last = int(found[2]), int(found[3])
    if not first <= last <= limits.NUMBER_MAX or last - first >= limits.ENTRIES_PER_FRAME_MAX:
        return None
    return SegmentFile(
        owner=owner, author=author, incarnation=int(incarnation), chain=Chain(found[1]), first=first, last=last
    )


def _log(owner: MachineId, name: str) -> LogFile | None:
    found = _LOG.fullmatch(name)
    if found is None:
        return None
    epoch, first, last = (int(text) for text in found.groups())
    if not first <= last <= limits.NUMBER_MAX or last - first >= limits.APPEND_ITEMS_MAX or epoch > limits.NUMBER_MAX:
        return None
    return LogFile(owner=owner, epoch=epoch, first=first, last=last)
