"""What a sealed message is: its text for some machines only, inside a message for all (docs/protocol/messages.md §13).

    content key ── AES-256-GCM ──▶ text
         └──────── HPKE, once for each machine ──▶ keys

The formats alone; what draws randomness or needs a private key is in ``adapters.sealing``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import Record, decode
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import FleetId, MachineId, MessageId
from roosync_p2p.trust.envelopes import pae

__all__ = [
    "KEY_BYTES",
    "SEALED_SUBJECT",
    "SealedBox",
    "SealedFile",
    "SealedText",
    "WrappedKey",
    "check_box",
    "decode_box",
    "decode_text",
    "seal_info",
]

SEALED_SUBJECT: Final = "(sealed)"  # in the open, in the place of the real one
KEY_BYTES: Final = 32  # of a content key, and of an X25519 public key
_PURPOSE: Final = b"roosync/sealed/1"


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The content key for one machine: its X25519 public key, and what HPKE made of the content key for it."""

    machine: str
    public: bytes
    wrapped: bytes


class SealedBox(Record, frozen=True, kw_only=True):
    """The field ``sealed`` of a message's body."""

    keys: tuple[WrappedKey, ...]
    text: bytes


class SealedFile(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An attachment as the recipients see it, and the key that its blob is encrypted with."""

    name: str
    size: int
    sha256: bytes
    key: bytes


class SealedText(Record, frozen=True, kw_only=True):
    """What is inside. ``files`` are in the order of the message's attachments."""

    subject: str
    body: str
    tags: tuple[str, ...] = ()
    files: tuple[SealedFile, ...] = ()


def seal_info(
    *, fleet: FleetId, sender: MachineId, message: MessageId, to: Sequence[str], machines: Collection[MachineId]
) -> bytes:
    """What a sealed text is bound to: nobody can pass it on as another message, of somebody else, to others.

    Args:
        to: the addresses, as the message has them.
        machines: those that it is sealed for.
    """
    return pae([_PURPOSE, fleet, sender.encode(), message.encode(), pack(list(to)), pack(sorted(machines))])


def decode_box(data: bytes) -> SealedBox:
    """A box from elsewhere.

    Raises:
        MalformedError: it does not parse, or breaks a bound.
    """
    box = decode(data, SealedBox, size_max=limits.ENTRY_BODY_BYTES_MAX)
    check_box(box)
    return box


def check_box(box: SealedBox) -> None:
    """Bounds of a box.

    Raises:
        MalformedError: one is broken.
    """
    if not 1 <= len(box.keys) <= limits.SEALED_MACHINES_MAX or any(len(key.public) != KEY_BYTES for key in box.keys):
        raise MalformedError(
            f"sealed: keys for 1 to {limits.SEALED_MACHINES_MAX} machines",
            code="bad_message",
            details={"field": "sealed"},
        )


def decode_text(data: bytes) -> SealedText:
    """What was inside a box.

    Raises:
        MalformedError: it does not parse.
    """
    return decode(data, SealedText, size_max=limits.ENTRY_BODY_BYTES_MAX)
