"""JSON documents for properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["documents", "scalars"]


def scalars() -> st.SearchStrategy[Any]:
    """Everything that is no container."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    )


def documents() -> st.SearchStrategy[Any]:
    """Documents of a few levels."""
    keys = st.sampled_from(["a", "b", "", "~", "/", "é", "\U0001f389"])
    return st.recursive(
        scalars(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
    )
