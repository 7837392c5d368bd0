"""Canonical msgpack: one value, one encoding (docs/protocol/wire.md §1).

Shortest integers, map keys that are strings and sorted by their UTF-8 bytes, no floats, no extension types, no nil
except as a value. ``msgpack`` accepts much that it would never write (duplicate keys, longer integers than needed,
unsorted maps), so :func:`unpack` encodes again and compares. A signature is checked over the bytes that arrived
*before* this; the bytes are never replaced by the re-encoding.
"""

from __future__ import annotations

from typing import TypeAlias

import msgpack

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError

__all__ = ["Value", "pack", "unpack"]

Value: TypeAlias = "bool | int | str | bytes | list[Value] | dict[str, Value] | None"


def pack(value: object) -> bytes:
    """The canonical bytes of a value.

    The caller passes only ``None``, ``bool``, ``int`` (-2**63 to 2**64-1), ``str``, ``bytes``, lists or tuples, and
    dictionaries with string keys.

    Raises:
        MalformedError: the value holds something else, or an integer out of range.
    """
    try:
        packed: bytes = msgpack.packb(_canonical(value, limits.NESTING_DEPTH_MAX), use_bin_type=True)
    except (OverflowError, UnicodeEncodeError) as error:
        raise MalformedError(f"a value cannot be encoded: {error}") from error
    return packed


def unpack(data: bytes, *, size_max: int = limits.FRAME_BYTES_MAX) -> Value:
    """The value of canonical bytes.

    Raises:
        MalformedError: too large, not msgpack, not canonical, nested too deeply, or of a type that is not allowed.
    """
    if len(data) > size_max:
        raise MalformedError(f"{len(data)} bytes, where {size_max} are allowed", code="oversized")
    try:
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            use_list=True,
            ext_hook=_no_extension,
            # An item takes a byte at least. Without this, 2 KB of nested arrays that each announce a million items
            # cost a tenth of a second, because the library makes room for what is announced.
            max_str_len=len(data),
            max_bin_len=len(data),
            max_array_len=len(data),
            max_map_len=len(data),
            max_ext_len=0,
        )
    except (ValueError, TypeError, UnicodeDecodeError, msgpack.UnpackException, RecursionError) as error:
        # msgpack's StackError (nesting) and ExtraData are ValueErrors; bad UTF-8 is a UnicodeDecodeError.
        raise MalformedError(f"not canonical msgpack: {type(error).__name__}") from error
    if pack(value) != data:
        raise MalformedError("not canonical msgpack: the same value has another encoding", code="not_canonical")
    checked: Value = value
    return checked


def _no_extension(code: int, data: bytes) -> object:
    raise MalformedError(f"msgpack extension type {code} ({len(data)} bytes) is not allowed")


def _canonical(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | str | bytes):
        return value
    if depth == 0:
        raise MalformedError("nested too deeply", code="too_deep")
    if isinstance(value, dict):
        keys = list(value)
        if not all(isinstance(key, str) for key in keys):
            raise MalformedError("a map key is not a string")
        return {key: _canonical(value[key], depth - 1) for key in sorted(keys, key=str.encode)}
    if isinstance(value, list | tuple):
        return [_canonical(item, depth - 1) for item in value]
    raise MalformedError(f"type {type(value).__name__} is not allowed")
