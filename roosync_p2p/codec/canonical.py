"""Canonical msgpack: one value, one encoding (docs/protocol/wire.md §1).

Shortest integers, map keys that are strings and sorted by their UTF-8 bytes, no floats, no extension types, no nil
except as a value. ``msgpack`` accepts much that it would never write (duplicate keys, longer integers than needed,
unsorted maps), so :func:`unpack` encodes again and compares. A signature is checked over the bytes that arrived
*before* this; the bytes are never replaced by the re-encoding.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgpack

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError

__all__ = ["Value", "pack", "unpack"]

Value: TypeAlias = "bool | int | str | bytes | list[Value] | dict[str, Value] | None"

_SCALAR_BASES: Final = (bool, int, str, bytes)
_SCALARS: Final = frozenset({type(None), *_SCALAR_BASES})


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
    if not _sorted(value, limits.NESTING_DEPTH_MAX) or msgpack.packb(value, use_bin_type=True) != data:
        raise MalformedError("not canonical msgpack: the same value has another encoding", code="not_canonical")
    checked: Value = value
    return checked


def _no_extension(code: int, data: bytes) -> object:
    raise MalformedError(f"msgpack extension type {code} ({len(data)} bytes) is not allowed")


def _canonical(value: object, depth: int) -> object:
    """The value with sorted keys. Scalars, most of it, are told by their exact type, which is several times faster."""
    if type(value) in _SCALARS or isinstance(value, _SCALAR_BASES):  # the latter for enumerations
        return value
    _require_depth(depth)
    if isinstance(value, dict):
        _require_text_keys(value)
        # The order of code points is that of their UTF-8 bytes.
        return {
            key: item if type(item) in _SCALARS else _canonical(item, depth - 1)
            for key, item in ((key, value[key]) for key in sorted(value))
        }
    if isinstance(value, list | tuple):
        return [item if type(item) in _SCALARS else _canonical(item, depth - 1) for item in value]
    raise _not_allowed(value)


def _sorted(value: object, depth: int) -> bool:
    """Whether all keys of what msgpack made are in order; also refuses what :func:`pack` refuses."""
    if type(value) in _SCALARS:
        return True
    _require_depth(depth)
    if isinstance(value, dict):
        _require_text_keys(value)
        keys = list(value)
        return keys == sorted(keys) and all(
            type(item) in _SCALARS or _sorted(item, depth - 1) for item in value.values()
        )
    if isinstance(value, list):
        return all(type(item) in _SCALARS or _sorted(item, depth - 1) for item in value)
    raise _not_allowed(value)


def _require_depth(depth: int) -> None:
    if depth == 0:
        raise MalformedError("nested too deeply", code="too_deep")


def _require_text_keys(value: dict[object, object]) -> None:
    for key in value:
        if not isinstance(key, str):
            raise MalformedError("a map key is not a string")


def _not_allowed(value: object) -> MalformedError:
    return MalformedError(f"type {type(value).__name__} is not allowed")
