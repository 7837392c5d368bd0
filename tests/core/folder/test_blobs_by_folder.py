"""Files that messages bring along, where no link leads anywhere: they come by the folder, verified, and are removed."""

from __future__ import annotations

import random

import pytest

from roosync_p2p import limits
from roosync_p2p.core import inputs
from roosync_p2p.core.mail_commands import SendMessage
from roosync_p2p.ids import parse_address
from roosync_p2p.mailbox.attachments import Attachment
from tests.helpers.folder_fleet import FolderFleet

DATA = random.Random(3).randbytes(100_000)


def send(fleet: FolderFleet, sender: str, to: str, data: bytes = DATA) -> bytes:
    """A message that brings this along; the digest."""
    member = fleet.member(sender)
    digest = member.blobs.put(data)
    member.feed(inputs.BlobAdded(digest=digest, size=len(data)))
    command = SendMessage(
        to=(parse_address(f"machine-{to}"),),
        subject="with a file",
        body="text",
        type="text",
        priority="MEDIUM",
        tags=(),
        workspace=None,
        thread_id=None,
        in_reply_to=None,
        idempotency_key=None,
        remembered=None,
        attachments=(Attachment(name="a.log", size=len(data), sha256=digest),),
    )
    fleet.ask(sender, command)
    return digest


def has(fleet: FolderFleet, letter: str, digest: bytes) -> bool:
    return fleet.member(letter).blobs.content(digest) is not None


def test_a_file_comes_by_the_folder_alone_and_is_removed_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FOLDER_BLOB_SLICE_BYTES", 30_000)
    monkeypatch.setattr(limits, "FOLDER_BLOB_PIECE_BYTES", 7_000)
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: fleet.verdict("a", "b").state.value == "online", 120.0)
    digest = send(fleet, "a", "b")
    took_s = fleet.until_s(lambda: has(fleet, "b", digest), 120.0)
    assert fleet.member("b").blobs.content(digest) == DATA
    assert took_s < 60.0
    path = f"p2p/v1/machine-a/blobs/{digest.hex()}"
    fleet.until_s(lambda: fleet.files("a", "/blobs/") == fleet.files("b", "/blobs/") == [], 180.0)
    assert fleet.counted("b", "blobs.fetched") == 1
    assert path not in fleet.folder("a").files


def test_while_links_are_fine_nothing_is_written_and_a_machine_that_is_off_costs_no_file() -> None:
    fleet = FolderFleet("abc", cut=False)
    fleet.run(30.0)
    fleet.member("c").crash(power=True)
    fleet.run(30.0)
    first, second = send(fleet, "a", "b"), send(fleet, "a", "c", DATA[::-1])
    fleet.until_s(lambda: has(fleet, "b", first), 30.0)
    fleet.run(100.0)
    assert fleet.files("a", "/blobs/") == []
    assert has(fleet, "b", second), "the only other one that is awake keeps it"


def test_who_returns_with_nothing_but_the_folder_gets_it_from_who_is_awake() -> None:
    fleet = FolderFleet("abc", cut=False)
    fleet.run(30.0)
    fleet.member("c").crash(power=True)
    fleet.run(10.0)
    digest = send(fleet, "a", "c")
    fleet.until_s(lambda: has(fleet, "b", digest), 60.0)
    fleet.member("a").crash(power=True)
    fleet.cut()
    fleet.member("c").start()
    fleet.until_s(lambda: has(fleet, "c", digest), 900.0, step_s=5.0)
    fleet.until_s(lambda: not has(fleet, "b", digest) and not fleet.files("b", "/blobs/"), 900.0, step_s=5.0)


def test_a_file_that_was_tampered_with_is_told_and_copied_aside_and_the_right_one_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for bound in ("FOLDER_DAMAGED_S", "FOLDER_REFUSED_FOR_S"):
        monkeypatch.setattr(limits, bound, 90.0)
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: fleet.verdict("a", "b").state.value == "online", 120.0)
    digest = send(fleet, "a", "b")
    path = f"p2p/v1/machine-a/blobs/{digest.hex()}"
    share = fleet.share
    fleet.until_s(lambda: path in fleet.folder("a").files, 60.0, step_s=0.02)
    share.arrive()
    # Somebody changes what b sees of it before b has read it.
    fleet.folder("b").files[path] = bytes(len(DATA))
    fleet.run(30.0)
    assert not has(fleet, "b", digest)
    assert fleet.counted("b", "blobs.damaged") == 1
    assert fleet.files("b", "machine-b/quarantine") == [], "it may still be on its way"
    fleet.run(limits.FOLDER_DAMAGED_S + 2 * limits.FOLDER_BLOB_AGAIN_S)
    kept = [name for name in fleet.files("b", "machine-b/quarantine") if name.endswith(".bin")]
    assert len(kept) == 1
    assert len(fleet.folder("b").files[kept[0]]) == limits.FOLDER_BLOB_HEAD_BYTES
    fleet.folder("b").files[path] = DATA
    fleet.until_s(lambda: has(fleet, "b", digest), limits.FOLDER_REFUSED_FOR_S, step_s=5.0)


def test_a_file_that_is_not_whole_yet_is_waited_for() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: fleet.verdict("a", "b").state.value == "online", 120.0)
    digest = send(fleet, "a", "b")
    path = f"p2p/v1/machine-a/blobs/{digest.hex()}"
    fleet.until_s(lambda: path in fleet.folder("a").files, 60.0, step_s=0.02)
    fleet.share.arrive()
    fleet.folder("b").files[path] = DATA[:50_000]
    fleet.run(30.0)
    assert not has(fleet, "b", digest)
    assert fleet.counted("b", "blobs.damaged") == 0
    fleet.folder("b").files[path] = DATA
    fleet.until_s(lambda: has(fleet, "b", digest), 60.0)
