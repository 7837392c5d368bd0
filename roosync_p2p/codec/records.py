"""From canonical bytes to frozen, typed records and back.

A record is a frozen, keyword-only :class:`msgspec.Struct`. Fields that this version does not know stay in the signed
bytes, which are kept, and have no effect here. What does not fit raises an error that names the field.
"""

from __future__ import annotations

import contextlib
from typing import TypeVar

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.errors import MalformedError

__all__ = ["Record", "decode", "encode", "from_value", "prepare_types", "to_value"]


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


def prepare_types() -> None:
    """Has msgspec build, in this thread, what it builds when a type is used for the first time.

    Two threads that do so at once for one type crash the interpreter (seen with msgspec 0.20: building runs Python
    code, which lets the other thread in). Call it with everything imported, before a second thread decodes anything.
    """
    waiting: list[type[msgspec.Struct]] = [msgspec.Struct]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
            with contextlib.suppress(msgspec.ValidationError, TypeError):  # TypeError: one that is never decoded
                msgspec.convert({}, kind, builtin_types=(bytes,))
