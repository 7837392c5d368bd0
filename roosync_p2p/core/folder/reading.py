"""One look into the shared folder: list, choose what is lacking, read, verify (docs/protocol/folder.md §6).

Runs where blocking is allowed, against snapshots of what the core knows; the core decides again when it gets the
result. Whatever is read goes through :func:`~roosync_p2p.core.intake.prepare`, as a frame of a link does.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import decode
from roosync_p2p.core.folder.records import Beacon, Papers, RevocationList, read_beacon, read_run
from roosync_p2p.core.intake import Prepared, prepare
from roosync_p2p.core.ports import Folder
from roosync_p2p.core.wire import Committed, EntriesFrame, EpochsFrame, RecordFrame, encode_frame
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.entries.entry import Entry
from roosync_p2p.errors import FolderError, MalformedError, PeerFault, RoosyncError, StaleError, UntrustedError
from roosync_p2p.gossip.folder_file import HEADER_BYTES, unwrap
from roosync_p2p.gossip.folder_paths import (
    MARKER,
    ROOT,
    BlobFile,
    ChainFile,
    FolderName,
    HeartbeatFile,
    LogFile,
    RevocationsFile,
    SegmentFile,
    certificates_path,
    parse_path,
    revocations_path,
)
from roosync_p2p.ids import FleetId, KeyId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import parse_machine_certificate
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified, verify
from roosync_p2p.trust.rotations import read_rotation, verify_rotation

__all__ = [
    "BadFile",
    "BeaconRead",
    "FileRead",
    "Looked",
    "PapersRead",
    "RevocationsRead",
    "RunRead",
    "SegmentRead",
    "Wanted",
    "check_marker",
    "look",
    "marker_bytes",
    "prepare_file",
]

_MARKER_BYTES_MAX: Final = 256
_NOT_YET: Final = frozenset({"unknown_author", "unknown_key"})  # may verify once a certificate has come


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a core lacks, as a snapshot.

    Attributes:
        me: this machine; its own part is listed too, and read where it holds more than its disk.
        fleet: whose folder it must be.
        heads: up to where each chain is held; what is absent is not held at all.
        epoch: of its commit log.
        items: committed items that it has.
        papers: files of certificates, and of revocations, that were read before.
        refused: files that were no good, with their size then: not read again for a while if they have that size.
    """

    me: MachineId
    fleet: FleetId
    heads: Mapping[ChainKey, int] = dataclasses.field(default_factory=dict)
    epoch: int = 0
    items: int = 0
    papers: frozenset[str] = frozenset()
    refused: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BeaconRead:
    """A heartbeat file, its signature checked, with what is signed inside it."""

    name: HeartbeatFile
    signed: Verified
    beacon: Beacon
    heartbeat: Verified
    records: tuple[Prepared, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRead:
    """A segment of entries: a frame like one from a link."""

    name: SegmentFile
    frame: Prepared


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRead:
    """A run of the log, by the word of its owner, who is the author of ``signed``."""

    name: LogFile
    signed: Verified
    frame: Prepared
    epochs: Prepared | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PapersRead:
    """Certificates; the directory checks them."""

    name: ChainFile
    papers: Papers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsRead:
    """Revocations and rotations, their signatures checked; whether they change anything, the core knows.

    ``whole``: every one could be checked; else some signer's certificate has not come yet.
    """

    name: RevocationsFile
    statements: tuple[Verified, ...]
    rotations: tuple[Verified, ...]
    whole: bool


FileRead: TypeAlias = BeaconRead | SegmentRead | RunRead | PapersRead | RevocationsRead


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BadFile:
    """A file that is no good, with its bytes as they are."""

    path: str
    data: bytes
    fault: PeerFault


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look found.

    Attributes:
        names: everything of the fallback transport that lies there.
        files: what was read and verified: certificates first, chains in sequence.
        bad: what is wrong and stays so.
        partial: files that are not whole, or not verifiable yet.
        foreign: files of the transport's directories that are none of its own: conflict copies, droppings.
        unreadable: files that could not be read now, being held open or only announced.
        more: there was more than one look may read.
    """

    names: tuple[FolderName, ...] = ()
    files: tuple[FileRead, ...] = ()
    bad: tuple[BadFile, ...] = ()
    partial: int = 0
    foreign: int = 0
    unreadable: int = 0
    more: bool = False


def marker_bytes(fleet: FleetId) -> bytes:
    """The content of the file by which a folder is known to be this fleet's."""
    return f"roosync fleet {fleet.hex()}\n".encode()


def check_marker(folder: Folder, fleet: FleetId) -> None:
    """Returns if the folder is there and this fleet's.

    Raises:
        FolderError: ``folder_unmounted`` or ``folder_other_fleet``; nothing may be written.
    """
    data = folder.read(MARKER, bytes_max=_MARKER_BYTES_MAX)
    if not data:
        raise FolderError(
            "the shared folder is not there, or is not the one: it has no p2p/v1/fleet",
            code="folder_unmounted",
            remedy="start the program that synchronises it, or correct [folder] path; "
            "a new one is made by `roosync up --folder DIR` on the fleet's issuer",
        )
    if data.removeprefix(b"\xef\xbb\xbf").strip() != marker_bytes(fleet).strip():
        raise FolderError(
            "the shared folder belongs to another fleet",
            code="folder_other_fleet",
            remedy="name this fleet's folder: [folder] path",
        )


def look(folder: Folder, wanted: Wanted, directory: Directory) -> Looked:
    """Lists the folder, reads what is wanted and not more than a bound, verifies it.

    Raises:
        FolderError: the folder as a whole cannot be used now.
    """
    check_marker(folder, wanted.fleet)
    survey = _Survey()
    for item in folder.items(ROOT):
        if item.folder:
            survey.machine(folder, item.name)
        elif f"{ROOT}/{item.name}" != MARKER:
            survey.foreign += 1
    reader = _Reader(folder, directory)
    for name in _chosen(survey.names, survey.sizes, wanted):
        if not reader.read(name):
            break
    return Looked(
        names=tuple(survey.names),
        files=tuple(reader.files),
        bad=tuple(reader.bad),
        partial=reader.partial,
        foreign=survey.foreign,
        unreadable=reader.unreadable,
        more=reader.more,
    )


def prepare_file(name: FolderName, data: bytes, directory: Directory) -> FileRead:
    """The verified content of a file.

    Raises:
        StaleError: ``partial``, or signed by somebody whose certificate has not come yet.
        PeerFault: it is no good; ``bad_file`` may still be a file on its way.
    """
    match name:
        case HeartbeatFile():
            return _beacon(name, unwrap(data, size_max=limits.FOLDER_BEACON_BYTES_MAX), directory)
        case SegmentFile():
            return _segment(name, unwrap(data, size_max=limits.FRAME_BYTES_MAX), directory)
        case LogFile():
            return _run(name, unwrap(data, size_max=limits.FRAME_BYTES_MAX), directory)
        case ChainFile():
            return _papers(name, unwrap(data, size_max=2 * limits.CERTIFICATE_BYTES_MAX))
        case RevocationsFile():
            return _revocations(name, unwrap(data, size_max=limits.FRAME_BYTES_MAX), directory)
        case BlobFile():
            raise AssertionError("blobs are read by jobs of their own")


# --- listing --------------------------------------------------------------------------------------------------------


class _Survey:
    """What lies in the folder, by the names alone."""

    def __init__(self) -> None:
        self.names: list[FolderName] = []
        self.sizes: dict[str, int] = {}
        self.foreign = 0
        self._machines = 0

    def machine(self, folder: Folder, name: str) -> None:
        """Everything of one machine's part that may be ours."""
        if parse_path(f"{ROOT}/{name}/heartbeat") is None or self._machines >= limits.FOLDER_MACHINES_MAX:
            self.foreign += 1
            return
        self._machines += 1
        base = f"{ROOT}/{name}"
        for item in folder.items(base):
            if not item.folder:
                self._file(f"{base}/{item.name}", item.size)
            elif item.name in ("certificates", "log", "revocations", "blobs"):
                self._files(folder, f"{base}/{item.name}")
            elif item.name == "entries":
                self._segments(folder, f"{base}/entries")
            elif item.name == "relay":
                for author in folder.items(f"{base}/relay"):
                    self._segments(folder, f"{base}/relay/{author.name}")

    def _segments(self, folder: Folder, base: str) -> None:
        for incarnation in folder.items(base):
            self._files(folder, f"{base}/{incarnation.name}")

    def _files(self, folder: Folder, base: str) -> None:
        for item in folder.items(base):
            if not item.folder:
                self._file(f"{base}/{item.name}", item.size)

    def _file(self, path: str, size: int) -> None:
        parsed = parse_path(path)
        if parsed is None:
            self.foreign += 1
        elif len(self.names) < limits.FOLDER_FILES_MAX:
            self.names.append(parsed)
            self.sizes[path] = size


def _chosen(names: Iterable[FolderName], sizes: Mapping[str, int], wanted: Wanted) -> Iterator[FolderName]:
    """Certificates, revocations, then heartbeats, then chains in sequence, the ledger before the mail, then the log.

    The lists come twice: rotations say which certificates are whose, and certificates whose word a revocation is.
    """
    # A heartbeat file is replaced, mostly by one of the same size: what was refused there says nothing of what comes.
    names = [
        name for name in names if isinstance(name, HeartbeatFile) or wanted.refused.get(name.path) != sizes[name.path]
    ]
    lists = [name for name in names if isinstance(name, RevocationsFile) and name.path not in wanted.papers]
    yield from lists
    yield from (name for name in names if isinstance(name, ChainFile) and name.path not in wanted.papers)
    yield from lists
    yield from (name for name in names if isinstance(name, HeartbeatFile))
    chains: dict[ChainKey, list[SegmentFile]] = collections.defaultdict(list)
    for name in names:
        if isinstance(name, SegmentFile):
            chains[name.key].append(name)
    for key in sorted(chains, key=lambda key: (key[2], key)):
        yield from _following(chains[key], wanted.heads.get(key, 0))
    logs = [name for name in names if isinstance(name, LogFile) and name.epoch >= wanted.epoch]
    newest = max((name.epoch for name in logs), default=0)
    usable = [name for name in logs if name.epoch == newest]
    yield from _following(usable, wanted.items if newest == wanted.epoch else 0)


def _following(names: Iterable[SegmentFile | LogFile], head: int) -> Iterator[SegmentFile | LogFile]:
    """Those that continue what is held, each run once: where two overlap, the one that reaches further."""
    left = sorted(names, key=lambda name: (name.first, -name.last, name.owner))
    if head == 0 and left:
        head = left[0].first - 1  # where a chain begins at its author's floor, entries say whether that is allowed
    for name in left:
        if name.first <= head + 1 and name.last > head:
            yield name
            head = name.last


# --- reading --------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads files until a bound is reached."""

    def __init__(self, folder: Folder, directory: Directory) -> None:
        self._folder = folder
        self._directory = directory
        self._bytes = 0
        self._count = 0
        self.files: list[FileRead] = []
        self.bad: list[BadFile] = []
        self.partial = 0
        self.unreadable = 0
        self.more = False

    def read(self, name: FolderName) -> bool:
        """Reads one; False once there is enough."""
        path = name.path
        if self._count >= limits.FOLDER_READS_MAX or self._bytes >= limits.FOLDER_READ_BYTES_MAX:
            self.more = True
            return False
        self._count += 1
        try:
            data = self._folder.read(path, bytes_max=limits.FRAME_BYTES_MAX + HEADER_BYTES + 1)
        except FolderError:
            self.unreadable += 1  # one file that is held open does not stop the others
            return True
        if data is None:
            return True
        self._bytes += len(data)
        try:
            file = prepare_file(name, data, self._directory)
        except StaleError:
            self.partial += 1
        except PeerFault as fault:
            self.bad.append(BadFile(path=path, data=data, fault=fault))
        else:
            self._keep(file)
        return True

    def _keep(self, file: FileRead) -> None:
        self.files.append(file)
        try:  # so that what these certificates prove is understood in this very look
            if isinstance(file, PapersRead):
                self._directory = self._directory.with_chain(file.papers.leaf, file.papers.issuer)
            elif isinstance(file, RevocationsRead):
                for said in (read_rotation(one.raw) for one in file.rotations):
                    self._directory = said.taken_into(self._directory)
            elif isinstance(file, SegmentRead):
                for leaf, issuer in file.frame.certificates:
                    self._directory = self._directory.with_chain(leaf, issuer)
        except PeerFault:
            return  # the core finds the same, and says so


# --- verifying ------------------------------------------------------------------------------------------------------


def _signed(envelope: bytes, context: str, directory: Directory, size_max: int) -> Verified:
    try:
        return verify(envelope, context=context, directory=directory, size_max=size_max)
    except UntrustedError as fault:
        raise _later(fault, directory) from fault


def _later(fault: PeerFault, directory: Directory) -> PeerFault:
    """What a fault means for a file: one that is final, or one that ends when a certificate comes."""
    key = fault.details.get("key")
    if fault.code in _NOT_YET and isinstance(key, str) and KeyId(bytes.fromhex(key)) in directory.given_up:
        return UntrustedError("it is signed with a key that was revoked or replaced", code="key_revoked")
    if fault.code in _NOT_YET:
        return StaleError(f"it cannot be verified yet: {fault.message}", code=fault.code)
    return fault


def _papers(name: ChainFile, body: bytes) -> PapersRead:
    papers = decode(body, Papers)
    _require_owner(name, parse_machine_certificate(papers.leaf).machine)
    if certificates_path(name.owner, sha256(body)) != name.path:
        raise MalformedError("certificates are others than their name says", code="wrong_content")
    return PapersRead(name=name, papers=papers)


def _revocations(name: RevocationsFile, body: bytes, directory: Directory) -> RevocationsRead:
    if revocations_path(name.owner, sha256(body)) != name.path:
        raise MalformedError("a list of revocations is another than its name says", code="wrong_content")
    papers = decode(body, RevocationList)
    said = papers.statements
    if len(said) > limits.FOLDER_REVOCATIONS_MAX or len(papers.rotations) > limits.FOLDER_ROTATIONS_MAX:
        raise MalformedError("a list of revocations is too long", code="oversized")
    statements = []
    for one in said:
        try:
            statements.append(_signed(one, contexts.STATEMENT, directory, limits.RECORD_BYTES_MAX))
        except StaleError:
            continue  # one that waits for a certificate keeps no other one back
    return RevocationsRead(
        name=name,
        statements=tuple(statements),
        rotations=tuple(verify_rotation(one, directory) for one in papers.rotations),
        whole=len(statements) == len(said),
    )


def _beacon(name: HeartbeatFile, body: bytes, directory: Directory) -> BeaconRead:
    signed = _signed(body, contexts.FOLDER_HEARTBEAT, directory, limits.FOLDER_BEACON_BYTES_MAX)
    beacon = read_beacon(signed)
    _require_owner(name, beacon.machine)
    heartbeat = _signed(beacon.heartbeat, contexts.HEARTBEAT, directory, limits.HEARTBEAT_BYTES_MAX)
    if heartbeat.author != beacon.machine:
        raise UntrustedError("a heartbeat file holds another machine's heartbeat", code="wrong_source")
    records: list[Prepared] = []
    floors = (("floor", floor) for floor in beacon.floors[: limits.FOLDER_FLOORS_MAX])
    for kind, envelope in (("frontier", beacon.frontier), ("sessions", beacon.sessions), *floors):
        if envelope:
            records.append(prepare(encode_frame(RecordFrame(kind=kind, envelope=envelope)), directory))
            if records[-1].signed().author != beacon.machine:
                raise UntrustedError(f"a heartbeat file holds another machine's {kind}", code="wrong_source")
    return BeaconRead(name=name, signed=signed, beacon=beacon, heartbeat=heartbeat, records=tuple(records))


def _segment(name: SegmentFile, body: bytes, directory: Directory) -> SegmentRead:
    frame = prepare(body, directory)
    if not isinstance(frame.frame, EntriesFrame) or len(frame.parts) != name.last - name.first + 1:
        raise MalformedError("a segment holds something else than its name says", code="wrong_content")
    for sequence, part in enumerate(frame.parts, name.first):
        if isinstance(part, RoosyncError):
            raise _later(part, directory)
        assert isinstance(part, Entry)
        if part.place != name.key or part.header.sequence != sequence:
            raise MalformedError("a segment holds other entries than its name says", code="wrong_content")
    return SegmentRead(name=name, frame=frame)


def _run(name: LogFile, body: bytes, directory: Directory) -> RunRead:
    signed = _signed(body, contexts.FOLDER_LOG, directory, limits.FRAME_BYTES_MAX)
    run = read_run(signed)
    _require_owner(name, run.machine)
    frame = prepare(run.frame, directory)
    epochs = prepare(run.epochs, directory) if run.epochs else None
    said = frame.frame
    if not isinstance(said, Committed) or (epochs is not None and not isinstance(epochs.frame, EpochsFrame)):
        raise MalformedError("a run of the log holds something else", code="wrong_content")
    if (said.epoch, said.first, said.first + len(said.items) - 1) != (name.epoch, name.first, name.last):
        raise MalformedError("a run of the log holds other items than its name says", code="wrong_content")
    return RunRead(name=name, signed=signed, frame=frame, epochs=epochs)


def _require_owner(name: FolderName, machine: str) -> None:
    if machine != name.owner:
        raise UntrustedError(f"signed by {machine}, and lies in the part of {name.owner}", code="wrong_source")
