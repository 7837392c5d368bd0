"""What is sealed opens for whom it is for, under the message that it was made for, and not otherwise."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import create_private_directory
from roosync_p2p.adapters.sealing import BlobSealer, can_seal, open_pieces, open_text, seal_text
from roosync_p2p.adapters.sealing_keys import SealingKeys
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import EnvironmentFault, MalformedError, StoreError, UntrustedError
from roosync_p2p.ids import FleetId, MachineId, MessageId
from roosync_p2p.mailbox.sealed import SealedBox, SealedText, WrappedKey, decode_box, seal_info

A, B, C = (MachineId(f"machine-{letter}") for letter in "abc")
KEYS = {machine: X25519PrivateKey.generate() for machine in (A, B, C)}
PUBLIC = {machine: key.public_key().public_bytes_raw() for machine, key in KEYS.items()}
TEXT = SealedText(subject="s", body="b", tags=("t",))
DAY_MS = 24 * 3600 * 1000

needs_hpke = pytest.mark.skipif(not can_seal(), reason="cryptography has no HPKE before version 47")


def bound(**other: object) -> bytes:
    usual: dict[str, object] = {
        "fleet": FleetId(bytes(32)),
        "sender": A,
        "message": MessageId("msg-20260115T091530-a1b2c3"),
        "to": [str(B)],
        "machines": [A, B],
    }
    return seal_info(**{**usual, **other})  # type: ignore[arg-type]  # by name


def private(public: bytes) -> X25519PrivateKey | None:
    return next((KEYS[machine] for machine, one in PUBLIC.items() if one == public), None)


def sealed() -> SealedBox:
    return decode_box(seal_text(TEXT, keys={m: PUBLIC[m] for m in (A, B)}, info=bound()))


@needs_hpke
def test_every_machine_that_it_is_for_opens_it_and_no_other_one() -> None:
    box = sealed()
    assert [open_text(box, machine, private, info=bound()) for machine in (A, B)] == [TEXT, TEXT]
    with pytest.raises(UntrustedError) as caught:
        open_text(box, C, private, info=bound())
    assert caught.value.code == "sealed_for_others"
    with pytest.raises(UntrustedError) as caught:
        open_text(box, B, lambda _public: None, info=bound())
    assert caught.value.code == "seal_key_gone"


@needs_hpke
@pytest.mark.parametrize(
    "other",
    [
        {"fleet": FleetId(bytes(31) + b"x")},
        {"sender": C},
        {"message": MessageId("msg-20260115T091530-a1b2c4")},
        {"to": [str(B), str(C)]},
        {"machines": [A, B, C]},
    ],
)
def test_nobody_passes_it_on_as_something_else(other: dict[str, object]) -> None:
    with pytest.raises(UntrustedError) as caught:
        open_text(sealed(), B, private, info=bound(**other))
    assert caught.value.code == "seal_broken"


@needs_hpke
def test_a_flipped_bit_is_found() -> None:
    box = sealed()
    text = bytes([box.text[0] ^ 1]) + box.text[1:]
    wrapped = box.keys[1].wrapped
    keys = (box.keys[0], WrappedKey(machine=B, public=PUBLIC[B], wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1])))
    for spoilt in (
        SealedBox(keys=box.keys, text=text),
        SealedBox(keys=keys, text=box.text),
        SealedBox(keys=(WrappedKey(machine=B, public=PUBLIC[B], wrapped=b""),), text=box.text),
        SealedBox(keys=box.keys, text=b""),
    ):
        with pytest.raises(UntrustedError) as caught:
            open_text(spoilt, B, private, info=bound())
        assert caught.value.code == "seal_broken"


def test_a_box_that_breaks_a_bound_is_refused() -> None:
    good = WrappedKey(machine=B, public=bytes(32), wrapped=b"")
    short = WrappedKey(machine=B, public=bytes(31), wrapped=b"")
    for keys in ((), (short,), (good,) * (limits.SEALED_MACHINES_MAX + 1)):
        with pytest.raises(MalformedError):
            decode_box(encode(SealedBox(keys=keys, text=b"")))


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 250])
def test_a_file_is_encrypted_and_given_back_in_pieces(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEALED_PIECE_BYTES", 100)
    data = os.urandom(size)
    sealer = BlobSealer()
    stored = b"".join([*(sealer.add(data[at : at + 7]) for at in range(0, size, 7)), sealer.end()])
    assert (sealer.size, sealer.sha256) == (size, hashlib.sha256(data).digest())
    pieces = [stored[at : at + 33] for at in range(0, len(stored), 33)]
    assert b"".join(open_pieces(iter(pieces), sealer.key)) == data
    for spoilt in (pieces[:-1], [*pieces, b"x"], [bytes(33), *pieces[1:]], []):
        with pytest.raises(StoreError) as caught:
            list(open_pieces(iter(spoilt), sealer.key))
        assert caught.value.code == "blob_damaged"


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_private_directory(tmp_path / "identity")
    return tmp_path


def test_the_same_key_is_announced_until_its_time_is_over(home: Path) -> None:
    keys = SealingKeys(home)
    first = keys.current(0)
    life_ms = round(limits.SEALING_KEY_LIFE_S * 1000)
    assert SealingKeys(home).current(life_ms - 1) == first
    second = SealingKeys(home).current(life_ms)
    assert second != first
    again = SealingKeys(home)
    assert again.current(life_ms + DAY_MS) == second
    assert again.private(first) is not None, "what was sealed for it is still read"


def test_an_old_key_goes_when_no_message_can_need_it(home: Path) -> None:
    keys = SealingKeys(home)
    first, at_ms = keys.current(0), round(limits.SEALING_KEY_LIFE_S * 1000)
    second = keys.current(at_ms)
    later_ms = at_ms + round(limits.SEALING_KEY_KEPT_S * 1000)
    assert keys.forget(later_ms, ()) == 0
    assert keys.forget(later_ms + 1, {first}) == 0, "a kept message is sealed for it"
    assert keys.forget(later_ms + 1, ()) == 1
    again = SealingKeys(home)
    assert (again.private(first), again.private(second) is None) == (None, False)
    assert again.forget(10 * later_ms, ()) == 0, "the newest stays"


def test_messages_are_gone_before_the_keys_that_they_need() -> None:
    assert limits.SEALING_KEY_KEPT_S > limits.UNREAD_LIFE_S + limits.READ_LIFE_S + limits.ARCHIVED_LIFE_S


def _others_may_read(path: Path) -> None:
    path.chmod(0o644)


def _cut_off(path: Path) -> None:
    path.write_bytes(bytes(31))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize(("harm", "code"), [(_others_may_read, "permissions_too_open"), (_cut_off, "identity_corrupt")])
def test_a_key_that_others_can_read_or_that_is_none_is_not_used(
    home: Path, harm: Callable[[Path], None], code: str
) -> None:
    SealingKeys(home).current(0)
    (path,) = (home / "identity").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    harm(path)
    with pytest.raises(EnvironmentFault) as caught:
        SealingKeys(home)
    assert caught.value.code == code
