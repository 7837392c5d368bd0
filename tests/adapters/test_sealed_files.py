"""Sealed files: what was sealed comes back, and nothing else does."""

from __future__ import annotations

import io

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.sealed_files import open_sealed, seal_file
from roosync_p2p.errors import InputFault, MalformedError

PIECE = 64


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEALED_PIECE_BYTES", PIECE)
    monkeypatch.setattr(limits, "SEALED_SCRYPT_LOG_N", 4)


def _sealed(text: bytes, passphrase: bytes = b"secret") -> bytes:
    target = io.BytesIO()
    seal_file(io.BytesIO(text), target, passphrase)
    return target.getvalue()


def _opened(data: bytes, passphrase: bytes = b"secret") -> bytes:
    return b"".join(open_sealed(io.BytesIO(data), passphrase))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_what_was_sealed_comes_back(size: int) -> None:
    text = bytes(range(256)) * 2
    assert _opened(_sealed(text[:size])) == text[:size]


def test_two_sealings_of_one_text_differ() -> None:
    assert _sealed(b"text") != _sealed(b"text")


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(InputFault) as caught:
        _opened(_sealed(b"text"), b"other")
    assert caught.value.code == "wrong_passphrase"


def test_a_file_that_was_cut_off_at_a_piece_is_not_whole() -> None:
    sealed = _sealed(bytes(3 * PIECE))
    header = len(sealed) - 3 * (PIECE + 16)
    with pytest.raises(MalformedError) as caught:
        _opened(sealed[: header + 2 * (PIECE + 16)])
    assert caught.value.code == "bad_backup"


def test_pieces_that_changed_places_are_found() -> None:
    sealed = _sealed(bytes(range(PIECE)) + bytes(2 * PIECE))
    whole = PIECE + 16
    header = len(sealed) - 3 * whole
    pieces = [sealed[header + n * whole : header + (n + 1) * whole] for n in range(3)]
    with pytest.raises((MalformedError, InputFault)):
        _opened(sealed[:header] + pieces[1] + pieces[0] + pieces[2])


@pytest.mark.parametrize("at", [0, 20, 33, 36, 60, -1])
def test_any_altered_byte_is_found(at: int) -> None:
    sealed = bytearray(_sealed(bytes(2 * PIECE)))
    sealed[at] ^= 1
    with pytest.raises((MalformedError, InputFault)):
        _opened(bytes(sealed))


def test_another_file_is_none() -> None:
    with pytest.raises(MalformedError):
        _opened(b"PK\x03\x04 something else entirely, long enough")
