"""The signature checker knows what was made, and finds what was not."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.signatures import SignatureChecker


def test_only_what_was_made_may_be_held() -> None:
    checker = SignatureChecker()
    checker.made("e1")
    assert checker.finish("alpha", [("entry 1", "e1")], 9.0) == []
    (violation,) = checker.finish("alpha", [("entry 1", "e1"), ("entry 2", "e2")], 9.0)
    assert violation.text == "alpha accepted a forgery: entry 2"
    assert str(violation) == "signatures at 9.000 s: alpha accepted a forgery: entry 2"
