"""From canonical bytes to frozen, typed records and back.

A record is a frozen, keyword-only :class:`msgspec.Struct`. Fields that this version does not know stay in the signed
bytes, which are kept, and have no effect here. What does not fit raises an error that names the field.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.errors import MalformedError

__all__ = ["Record", "decode", "encode", "from_value", "to_value"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything that is put on a wire or a disk. A field with its default is left out of the bytes."""


R = TypeVar("R", bound=msgspec.Struct)


def encode(record: msgspec.Struct) -> bytes:
    """The canonical bytes of a record."""
    return pack(to_value(record))


def decode(data: bytes, kind: type[R], *, size_max: int = limits.FRAME_BYTES_MAX) -> R:
    """The record in canonical bytes.

    Raises:
        MalformedError: the bytes are not canonical, or a field is missing or of the wrong type (the error names it).
    """
    return from_value(unpack(data, size_max=size_max), kind)


def to_value(record: msgspec.Struct) -> object:
    """The record as plain values for :func:`~roosync_p2p.codec.canonical.pack`."""
    return msgspec.to_builtins(record, builtin_types=(bytes,))


def from_value(value: object, kind: type[R]) -> R:
    """A record from unpacked values.

    Raises:
        MalformedError: a field is missing or of the wrong type (the error names it).
    """
    try:
        return msgspec.convert(value, kind, strict=True, builtin_types=(bytes,))
    except (msgspec.ValidationError, RecursionError) as error:
        raise MalformedError(f"{kind.__name__}: {error}", code="bad_field") from error
