"""Sealed messages between cores: not a word of them in any frame, and refused where they cannot be sealed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

import pytest

from roosync_p2p.adapters.permissions import create_private_directory
from roosync_p2p.adapters.sealing import BlobSealer, can_seal
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.mail_commands import Retain, SendMessage
from roosync_p2p.core.memory_blobs import MemoryBlobs
from roosync_p2p.core.ports import Aged
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import EntryId, MachineId
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.node import sealing
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.sealing import Opened, Seals
from tests.helpers.cores import A, B, C, Rig, connect, message, settle

pytestmark = pytest.mark.skipif(not can_seal(), reason="cryptography has no HPKE before version 47")

SUBJECT, BODY, TAG, NAME = "sujet-zbrqx", "texte-vkjwp", "tag-qpzmx", "nom-hwtrb.txt"
CONTENT = b"contenu-ylfgd " * 400


def _seals(rig: Rig, place: Path | None) -> Seals:
    """A rig has what of a performer is needed here: a core, and a way to feed it."""
    if place is not None:
        create_private_directory(place)
        create_private_directory(place / "identity")
    return Seals(cast("Performer", rig), place)


@pytest.fixture
def fleet(tmp_path: Path) -> dict[MachineId, tuple[Rig, Seals]]:
    """Three, each linked with each, that have announced their keys."""
    found = {}
    for machine in (A, B, C):
        rig = Rig(machine, blobs=MemoryBlobs()).ready()
        found[machine] = (rig, _seals(rig, tmp_path / machine))
    rigs = [rig for rig, _ in found.values()]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        connect(rigs[one], rigs[other])
    for _, seals in found.values():
        seals.announce()
    settle(*rigs, seconds=2.0)
    return found


def _plain(*attachments: Attachment) -> SendMessage:
    return dataclasses.replace(message(B, SUBJECT, body=BODY, attachments=attachments), tags=(TAG,))


def _opened(rig: Rig, seals: Seals, entry: EntryId) -> Opened:
    row = rig.store.message(entry)
    assert row is not None
    opened = seals.opened(row, rig.store.entry(entry))
    assert opened is not None
    return opened


def test_no_frame_carries_a_word_of_it_and_only_its_readers_open_it(
    fleet: dict[MachineId, tuple[Rig, Seals]],
) -> None:
    a, seals = fleet[A]
    assert a.blobs is not None
    sealer = BlobSealer()
    stored = sealer.add(CONTENT) + sealer.end()
    digest = a.blobs.put(stored)
    a.feed(inputs.BlobAdded(digest=digest, size=len(stored)))
    attachment = Attachment(name=NAME, size=len(stored), sha256=digest)
    command = seals.sealed(_plain(attachment), {digest: (sealer.key, sealer.size, sealer.sha256)})
    entry = EntryId(bytes.fromhex(str(a.answered(command)["entry"])))
    rigs = [rig for rig, _ in fleet.values()]
    settle(*rigs, seconds=3.0)
    frames = [wire.encode_frame(frame) for rig in rigs for _, frame in rig.sent]
    assert any(isinstance(frame, wire.BlobFrame) and frame.data for _, frame in a.sent), "the file has travelled"
    words = [word.encode() for word in (SUBJECT, BODY, TAG, NAME.removesuffix(".txt"))] + [CONTENT[:14]]
    assert not [word for word in words for frame in frames if word in frame]
    assert not [word for word in words for rig in rigs for event in rig.events if word in repr(event).encode()]
    for machine in (A, B):
        text = _opened(*fleet[machine], entry).text
        assert text is not None
        assert (text.subject, text.body, text.tags) == (SUBJECT, BODY, (TAG,))
        assert [(file.name, file.size, file.key) for file in text.files] == [(NAME, len(CONTENT), sealer.key)]
    assert _opened(*fleet[C], entry) == Opened(text=None, problem="sealed_for_others")


def test_where_a_recipient_announced_no_key_nothing_is_sent(tmp_path: Path) -> None:
    a = Rig(A, knows=(A, B, C)).ready()
    seals = _seals(a, tmp_path / "a")
    seals.announce()
    with pytest.raises(InputFault) as caught:
        seals.sealed(_plain(), {})
    assert (caught.value.code, caught.value.details) == ("no_sealing_key", {"machines": [B]})
    with pytest.raises(InputFault) as caught:
        seals.sealed(message("machine-x", SUBJECT), {})
    assert caught.value.code == "unknown_recipient"


def test_where_cryptography_is_too_old_nothing_is_sealed_and_no_key_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "can_seal", lambda: False)
    a = Rig(A).ready()
    seals = _seals(a, tmp_path / "a")
    seals.announce()
    assert list((tmp_path / "a" / "identity").iterdir()) == []
    assert a.core.delivery.sealing_key(A) is None
    with pytest.raises(InputFault) as caught:
        seals.sealed(_plain(), {})
    assert caught.value.code == "cannot_seal"
    assert "cryptography 47" in caught.value.remedy


def test_a_file_whose_key_is_forgotten_is_refused(fleet: dict[MachineId, tuple[Rig, Seals]]) -> None:
    _a, seals = fleet[A]
    with pytest.raises(InputFault) as caught:
        seals.sealed(_plain(Attachment(name=NAME, size=1, sha256=bytes(32))), {})
    assert caught.value.code == "no_such_upload"


def test_the_keys_of_messages_that_still_have_a_body_are_needed(fleet: dict[MachineId, tuple[Rig, Seals]]) -> None:
    (a, seals), (b, _) = fleet[A], fleet[B]
    public = {machine: rig.core.delivery.sealing_key(machine) for machine, (rig, _) in fleet.items()}
    entry = EntryId(bytes.fromhex(str(a.answered(seals.sealed(_plain(), {}))["entry"])))
    settle(a, b, seconds=1.0)
    assert sealing.needed_keys(b.store, B) == {public[B]}
    assert sealing.needed_keys(a.store, A) == {public[A]}
    assert sealing.needed_keys(b.store, C) == set()
    b.answered(Retain(aged=Aged(archive=(), expire=(), drop=(entry,))))
    assert sealing.needed_keys(b.store, B) == set()


def test_a_key_is_announced_again_when_it_changes_and_the_newest_counts(
    fleet: dict[MachineId, tuple[Rig, Seals]],
) -> None:
    (a, _), (b, _) = fleet[A], fleet[B]
    before = a.core.delivery.sealing_key(B)
    b.feed(inputs.SealingKey(public=bytes(range(32))))
    settle(a, b, seconds=0.5)
    assert before != a.core.delivery.sealing_key(B) == bytes(range(32))
    restarted = a.restart().ready()
    assert restarted.core.delivery.sealing_key(B) == bytes(range(32))
