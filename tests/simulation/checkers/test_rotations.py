"""The checker of replaced keys finds who does not know the new one, and what the old one signed behind it."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.checkers.rotations import KnownKeys, Signed, replaced_keys

OLD, NEW = b"old", b"new"
CHAIN = (Signed(1, "mail", 1, OLD), Signed(1, "mail", 2, NEW), Signed(1, "ledger", 1, OLD))


def found(**changed: object) -> list[str]:
    plain: dict[str, object] = {"member": "alpha", "pinned": NEW, "ordered": NEW, "signed": CHAIN}
    known = KnownKeys(**(plain | changed))  # type: ignore[arg-type]
    return [violation.text for violation in replaced_keys("gamma", NEW, [known], 9.0)]


def test_nothing_is_wrong_where_everybody_knows_the_new_key() -> None:
    assert found() == []
    assert found(ordered=None) == [], "it takes no part in an order that goes on"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pinned": OLD}, "does not believe"),
        ({"pinned": None}, "does not believe"),
        ({"ordered": OLD}, "old key in the ledger"),
        ({"signed": (*CHAIN, Signed(1, "mail", 3, OLD))}, "behind"),
        ({"signed": (*CHAIN, Signed(2, "mail", 1, OLD))}, "behind"),
    ],
)
def test_one_lie_is_found(changed: dict[str, object], says: str) -> None:
    (text,) = found(**changed)
    assert says in text
