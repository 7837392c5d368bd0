"""JSON: one form for each document, pointers, merge patches, differences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.ledger.documents import (
    Change,
    canonical_json,
    changed,
    difference,
    merge_leaves,
    merge_patch,
    parse_json,
    parse_pointer,
    pointer_text,
    put_at,
    removed_at,
    same_json,
    value_at,
)
from tests.helpers.trust import accepted_or_documented, refused_with
from tests.ledger.documents import documents


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ({"\U0001f389": 1, "\ufffd": 2}, '{"\ufffd":2,"\U0001f389":1}'),
        (1.0, "1"),
        (-0.0, "0"),
        (1e15, "1000000000000000"),
        (9007199254740992.0, "9007199254740992.0"),
        (1e300, "1e+300"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (2**64 - 1, "18446744073709551615"),
        ('"\\\n\x00\x7f\u2028é', '"\\"\\\\\\n\\u0000\x7f\u2028é"'),
    ],
    ids=repr,
)
def test_a_document_has_one_form(value: Any, text: str) -> None:
    assert canonical_json(value) == text.encode()
    assert canonical_json(parse_json(text.encode())) == text.encode()


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("not_canonical", b"1.0"),
        ("not_canonical", b'{"b":1,"a":2}'),
        ("not_canonical", b'{"a":1,"a":1}'),
        ("not_canonical", b'{"a": 1}'),
        ("not_canonical", b'"\\u00e9"'),
        ("not_canonical", b"1E5"),
        ("bad_json", b"NaN"),
        ("bad_json", b"1e400"),
        ("bad_json", b""),
        ("bad_json", b"\xff"),
        ("bad_json", b'"\\ud800"'),
        ("bad_json", b"18446744073709551616"),
        ("bad_json", b"9" * 5000),
        ("too_deep", b"[" * limits.JSON_DEPTH_MAX + b"]" * limits.JSON_DEPTH_MAX),
        ("too_deep", b"[" * 100_000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_not_in_that_form_is_refused(code: str, data: bytes) -> None:
    refused_with(code, lambda: parse_json(data))


def test_the_deepest_document_is_read_and_written() -> None:
    data = b"[" * (limits.JSON_DEPTH_MAX - 1) + b"]" * (limits.JSON_DEPTH_MAX - 1)
    assert canonical_json(parse_json(data)) == data
    refused_with("too_deep", lambda: canonical_json([parse_json(data)]))
    innermost: Any = {"a": 1}
    for _ in range(limits.JSON_DEPTH_MAX - 2):
        innermost = {"a": innermost}
    assert parse_json(canonical_json(innermost)) == innermost


def test_brackets_in_text_are_no_depth() -> None:
    assert parse_json(b'"' + b"[" * 1000 + b'\\""') == "[" * 1000 + '"'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, b"x", {"a": 1j}], ids=repr)
def test_what_json_has_not_cannot_be_written(value: Any) -> None:
    refused_with("bad_json", lambda: canonical_json(value))


def test_true_is_not_one() -> None:
    assert not same_json(True, 1)
    assert not same_json({"a": [True]}, {"a": [1]})
    assert list(difference({"a": True}, {"a": 1})) == [Change(("a",), present=True, value=1)]


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
    ids=str,
)
def test_the_examples_of_rfc_7396(original: Any, patch: Any, result: Any) -> None:
    assert merge_patch(original, patch) == result


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_rfc_6901(text: str, value: Any) -> None:
    document = json.loads(r'{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}')
    pointer = parse_pointer(text)
    assert value_at(document, pointer).value == value
    assert pointer_text(pointer) == text
    assert value_at(put_at(document, pointer, 99), pointer).value == 99


@pytest.mark.parametrize("text", ["a", "/~", "/~2", "/a/~x", "/a" * 64])
def test_what_is_no_pointer_is_refused(text: str) -> None:
    refused_with("bad_pointer", lambda: parse_pointer(text))


@pytest.mark.parametrize("pointer", [("a", "x"), ("l", "2"), ("l", "-"), ("l", "01"), ("l", "9" * 30)])
def test_a_pointer_through_what_is_no_container_leads_nowhere(pointer: tuple[str, ...]) -> None:
    document: Any = {"a": 1, "l": [1, 2]}
    assert not value_at(document, pointer).present
    refused_with("bad_pointer", lambda: put_at(document, pointer, 1))


def test_removing_what_is_not_there_changes_nothing() -> None:
    document: Any = {"a": {"b": 1}}
    for pointer in (("x",), ("a", "x"), ("a", "b", "c")):
        assert removed_at(document, pointer) == document


@given(documents())
def test_a_document_survives_its_form(document: Any) -> None:
    data = canonical_json(document)
    assert canonical_json(parse_json(data)) == data
    assert json.loads(data) == document


@given(documents(), documents())
def test_the_difference_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    """Invariant: equal bytes after applying it; nothing, exactly for equal documents."""
    old, new = parse_json(canonical_json(old)), parse_json(canonical_json(new))
    changes = list(difference(old, new))
    assert canonical_json(changed(old, changes)) == canonical_json(new)
    assert (not changes) == (canonical_json(old) == canonical_json(new))


@given(documents(), documents())
def test_the_leaves_of_a_patch_do_what_the_patch_does(document: Any, patch: Any) -> None:
    """Invariant: a patch is its leaves, for an object whose members on the way are objects."""
    merged = merge_patch(document, patch)
    for change, opens in merge_leaves(patch):
        found = value_at(merged, change.pointer)
        if not change.present:
            assert not found.present
        elif opens:
            assert isinstance(found.value, dict)
        else:
            assert same_json(found.value, change.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_documented_error(data: bytes) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: parse_json(data))


@given(st.text(alphabet='[]{}",:1e-.\\u0tfna ', max_size=40))
def test_anything_like_json_is_a_document_or_a_documented_error(text: str) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: parse_json(text.encode()))
