"""Every kind of file with every kind of lie: what a machine concludes is what it would conclude without that file.

The part of machine-c is tampered with in what machine-b sees. The others do not run meanwhile and the medium carries
nothing, so whatever b knows it has from the files that are there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.commands import OrderEntry, Revoke
from roosync_p2p.core.folder.reading import marker_bytes
from roosync_p2p.core.folder.records import Papers, RevocationList, RunRecord
from roosync_p2p.core.memory_store import Snapshot
from roosync_p2p.gossip.folder_file import HEADER_BYTES, unwrap, wrap
from roosync_p2p.gossip.folder_paths import MARKER, certificates_path, revocations_path
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.ledger.bodies import ClaimAcquire
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.envelopes import parse_envelope, seal
from tests.helpers.folder_fleet import FolderFleet

A, B, C, D = (MachineId(f"machine-{letter}") for letter in "abcd")
KINDS: Final = ("heartbeat", "entries", "relay", "log", "certificates", "revocations")
_FRAME_MAX: Final = limits.FRAME_BYTES_MAX


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """Where a file of machine-c lies, what is in it, and what else was ever signed for such a place."""

    path: str
    good: bytes
    older: bytes
    anothers: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A folder at rest, with one file of each kind that machine-b has not read."""

    fleet: FolderFleet
    disk: Snapshot
    files: dict[str, _File]
    rest: dict[str, bytes]

    def start(self, files: dict[str, bytes], *, revoked: bool = False) -> None:
        """machine-b starts from its old disk, in a folder with these files; it may have heard that c is out."""
        self.stop()
        folder, member = self.fleet.folder("b"), self.fleet.member("b")
        folder.files = {**self.rest, **files}
        member.disk.restore(self.disk)
        member.start()
        if revoked:
            folder.files = dict(self.rest)
            self.fleet.run(7)
            self.fleet.ask("b", Revoke(statement=_revocation(self.fleet, C)))
            self.fleet.run(1)
            folder.files = {**folder.files, **files}
        self.fleet.run(15)

    def stop(self) -> None:
        """It ends, if it runs."""
        if self.fleet.member("b").core is not None:
            self.fleet.member("b").crash(power=True)

    def known(self) -> dict[str, object]:
        """What machine-b believes."""
        core = self.fleet.member("b").node()
        beats = {machine: core.presence.latest(machine) for machine in (A, C, D)}
        return {
            "members": {name: sha256(member.leaf) for name, member in core.desk.directory.members.items()},
            "heads": dict(core.exchange.heads()),
            "commits": core.commit.applier.number,
            "out": sorted(core.revocations.revoked),
            "beats": {m: None if b is None else (b.heartbeat.start, b.heartbeat.counter) for m, b in beats.items()},
            "inbox": self.fleet.subjects("b"),
            "told": core.delivery.head_of(C, (A, 1, "mail")),  # type: ignore[arg-type]
        }


def _revocation(fleet: FolderFleet, machine: MachineId) -> bytes:
    return fleet.fleet.keys.revocation(machine, ledger=None, mail=None, serial=1)


@pytest.fixture(scope="module")
def scene() -> _Scene:
    fleet = FolderFleet("abcd")
    fleet.until_s(lambda: all(len(m.node().members()) == 4 for m in fleet.fleet.members.values()), 90)
    fleet.run(20)
    fleet.member("b").crash(power=True)
    disk = fleet.member("b").disk.snapshot()
    early = dict(fleet.folder("a").files)
    for number in range(3):
        fleet.send("a", "b", f"from a {number}")
        fleet.send("c", "b", f"from c {number}")
    body = ClaimAcquire(name="bug-1", ttl_ms=3_600_000, session="s1", queue=False)
    command = OrderEntry(
        kind="claim.acquire", body=body, timeout_s=5.0, not_after_s=None, withdraw=False, idempotency_key=None
    )
    fleet.ask("a", command)
    fleet.run(60)
    late = dict(fleet.folder("a").files)
    for letter in "acd":
        fleet.member(letter).crash(power=True)
    fleet.share.stopped = True
    rest = {path: data for path, data in late.items() if path == MARKER or "machine-a/entries/1/ledger" in path}
    return _Scene(fleet=fleet, disk=disk, files=_files(fleet, early, late), rest=rest)


def _files(fleet: FolderFleet, early: dict[str, bytes], late: dict[str, bytes]) -> dict[str, _File]:
    def one(files: dict[str, bytes], part: str) -> tuple[str, bytes]:
        path = max((path for path in files if part in path), key=lambda path: int(path.rpartition("-")[2][:-4]))
        return path, files[path]

    segment, mail = one(late, "machine-c/entries/1/mail")
    relayed, anothers_mail = one(late, "machine-a/entries/1/mail")
    _, older_mail = one(late, "machine-c/entries/1/ledger")
    log, run = one(late, "machine-a/log")
    first_log, first_run = one(early, "machine-a/log")
    assert first_log != log
    beat = "p2p/v1/machine-c/heartbeat"
    papers, older_papers, anothers_papers = (_papers(fleet, C, 2), _papers(fleet, C, 1), _papers(fleet, A, 2))
    statements = [fleet.fleet.keys.revocation(D, ledger=None, mail=None, serial=serial) for serial in (1, 2)]
    revocations, shorter = (encode(RevocationList(statements=statements[:count])) for count in (2, 1))
    return {
        "heartbeat": _File(path=beat, good=late[beat], older=early[beat], anothers=late["p2p/v1/machine-a/heartbeat"]),
        "entries": _File(path=segment, good=mail, older=older_mail, anothers=anothers_mail),
        "relay": _File(
            path=relayed.replace("machine-a/entries", "machine-c/relay/machine-a"),
            good=anothers_mail,
            older=older_mail,
            anothers=mail,
        ),
        "log": _File(
            path=log.replace("machine-a", "machine-c"),
            good=_by_c(fleet, run),
            older=_by_c(fleet, first_run),
            anothers=run,
        ),
        "certificates": _File(
            path=certificates_path(C, sha256(papers)),
            good=wrap(papers),
            older=wrap(older_papers),
            anothers=wrap(anothers_papers),
        ),
        "revocations": _File(
            path=revocations_path(C, sha256(revocations)),
            good=wrap(revocations),
            older=wrap(shorter),
            anothers=wrap(shorter),
        ),
    }


def _by_c(fleet: FolderFleet, run: bytes) -> bytes:
    """The same run of the log, by the word of machine-c."""
    record = decode(parse_envelope(unwrap(run, size_max=_FRAME_MAX), size_max=_FRAME_MAX).payload, RunRecord)
    keys = fleet.fleet.keys
    payload = encode(msgspec.structs.replace(record, machine=C))
    envelope = seal(keys.identities[C].key, context=contexts.FOLDER_LOG, fleet=keys.fleet, author=C, payload=payload)
    return wrap(envelope)


def _papers(fleet: FolderFleet, machine: MachineId, days: int) -> bytes:
    """Certificates of a machine that were renewed so many days after the first ones."""
    keys = fleet.fleet.keys
    issuer_key, mine = keys.identities[A].issuer_key, keys.identities[machine]
    assert issuer_key is not None
    leaf = machine_certificate(
        issuer_key,
        mine.issuer,
        mine.key.public,
        machine=machine,
        fleet=keys.fleet,
        serial=1_000 + days,
        now_s=BORN_S + days * 86_400,
    )
    return encode(Papers(leaf=leaf, issuer=mine.issuer))


# --- what is done to a file -------------------------------------------------------------------------------------------


def _cut_short(file: _File) -> bytes:
    return file.good[: len(file.good) * 2 // 3]


def _damaged(file: _File) -> bytes:
    at = HEADER_BYTES + (len(file.good) - HEADER_BYTES) * 3 // 4
    return file.good[:at] + bytes([file.good[at] ^ 1]) + file.good[at + 1 :]


def _altered(file: _File) -> bytes:
    return wrap(_damaged(file)[HEADER_BYTES:])  # with the right hash, as somebody does who means it


_LIES: Final[dict[str, Callable[[_File], bytes]]] = {
    "cut short": _cut_short,
    "damaged": _damaged,
    "altered": _altered,
    "older": lambda file: file.older,
    "another's": lambda file: file.anothers,
}


def _said(fleet: FolderFleet) -> set[str]:
    """The reasons that machine-b gives for what it did not take."""
    parts = ("folder.bad.", "folder.ignored.", "fault.", "entries.revoked", "folder.rolled_back", "folder.partial")
    counters = fleet.member("b").node().desk.counters
    return {name for name, count in counters.items() if count and name.startswith(parts)}


def _quarantined(fleet: FolderFleet) -> list[bytes]:
    return [fleet.folder("b").files[path] for path in fleet.files("b", "machine-b/quarantine") if path.endswith("bin")]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may still be on its way is given up, and looked at again, after a moment: how long, another test says."""
    monkeypatch.setattr(limits, "FOLDER_DAMAGED_S", 4.0)
    monkeypatch.setattr(limits, "FOLDER_REFUSED_FOR_S", 60.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_tells_something(scene: _Scene, kind: str) -> None:
    file = scene.files[kind]
    scene.start({})
    without = scene.known()
    scene.start({file.path: file.good})
    assert scene.known() != without
    assert _said(scene.fleet) == set()


@pytest.mark.parametrize("lie", _LIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("soon")
def test_a_file_that_was_tampered_with_is_not_believed_and_is_left_as_it_is(scene: _Scene, kind: str, lie: str) -> None:
    file = scene.files[kind]
    data = _LIES[lie](file)
    assert data != file.good
    scene.start({file.path: file.good} if (kind, lie) == ("heartbeat", "older") else {})
    expected = scene.known()
    if (kind, lie) == ("heartbeat", "older"):  # against what was seen; nothing else makes it old
        scene.fleet.folder("b").files[file.path] = data
        scene.fleet.run(15)
    else:
        scene.start({file.path: data})
    assert scene.known() == expected
    assert scene.fleet.folder("b").files[file.path] == data
    said = _said(scene.fleet)
    assert said, "it gives no reason"
    if lie == "cut short":
        assert said == {"folder.partial"}
    elif (kind, lie) == ("heartbeat", "older"):
        assert said == {"folder.rolled_back"}
    else:
        assert _quarantined(scene.fleet) == [data], said
    # once the right file lies there, all is as it should be
    scene.fleet.folder("b").files[file.path] = file.good
    scene.fleet.run(15 if kind == "heartbeat" or lie == "cut short" else limits.FOLDER_REFUSED_FOR_S + 15)
    assert scene.known() != expected or (kind, lie) == ("heartbeat", "older")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_revoked_machine_wrote_before_is_ignored_with_the_reason(scene: _Scene, kind: str) -> None:
    file = scene.files[kind]
    scene.start({}, revoked=True)
    assert scene.fleet.member("b").node().revocations.out(C) is not None
    without = scene.known()
    scene.start({file.path: file.good}, revoked=True)
    if kind in ("relay", "revocations"):  # it only passed on what others signed
        assert scene.known() != without
    else:
        assert scene.known() == without
        assert _said(scene.fleet) & {"folder.ignored.key_revoked", "fault.key_revoked", "entries.revoked"}
        assert _quarantined(scene.fleet) == []
    assert scene.fleet.folder("b").files[file.path] == file.good


def test_a_heartbeat_beside_the_list_that_revokes_its_machine_is_not_believed(scene: _Scene) -> None:
    body = encode(RevocationList(statements=[_revocation(scene.fleet, C)]))
    beat = scene.files["heartbeat"]
    scene.start({beat.path: beat.good, revocations_path(D, sha256(body)): wrap(body)})
    assert scene.known()["out"] == [C]
    assert scene.fleet.member("b").node().presence.latest(C) is None


@pytest.mark.parametrize(
    ("marker", "state"),
    [
        (b"", "unmounted"),
        (b"roosync fleet", "other_fleet"),
        (marker_bytes(FleetId(bytes(32))), "other_fleet"),
        (b"\xff" * 300, "other_fleet"),
        (None, "unmounted"),
    ],
)
def test_with_another_marker_nothing_is_read_or_written(scene: _Scene, marker: bytes | None, state: str) -> None:
    file = scene.files["entries"]
    scene.start({})
    without = scene.known()
    folder = scene.fleet.folder("b")
    files = {file.path: file.good} if marker is None else {file.path: file.good, MARKER: marker}
    folder.files = dict(files)
    scene.fleet.run(30)
    assert folder.files == files
    assert scene.known() == without
    assert scene.fleet.folder_status("b")["state"] == state
