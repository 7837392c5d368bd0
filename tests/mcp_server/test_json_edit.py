"""One member of somebody's file, and nothing else, is another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.errors import InputFault
from roosync_p2p.mcp_server.json_edit import with_member, without_member

PATH = ("mcpServers", "roosync")
ENTRY = {"command": "python", "args": ["-m", "x"]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n  "mcpServers": {\n    "roosync": {\n      "command": "p"\n    }\n  }\n}'),
        ('{"a": 1}', '{"a": 1, "mcpServers": {"roosync": {"command": "p"}}}'),
        (
            '{\n\t"z": 1.50,\n\t"a": [1,2]\n}\n',
            (
                '{\n\t"z": 1.50,\n\t"a": [1,2],\n\t"mcpServers": {\n\t\t"roosync": {\n\t\t\t"command": "p"\n'
                "\t\t}\n\t}\n}\n"
            ),
        ),
        (
            '{\r\n    "mcpServers": {\r\n        "other": {}\r\n    }\r\n}',
            (
                '{\r\n    "mcpServers": {\r\n        "other": {},\r\n        "roosync": {\r\n'
                '            "command": "p"\r\n'
                "        }\r\n    }\r\n}"
            ),
        ),
        (
            '{\n  "mcpServers": {},\n  "é": "\\u00e9"\n}\n',
            '{\n  "mcpServers": {\n    "roosync": {\n      "command": "p"\n    }\n  },\n  "é": "\\u00e9"\n}\n',
        ),
        (
            '{\n  "mcpServers": {"roosync": {"old": 1}, "b": 2}\n}',
            '{\n  "mcpServers": {"roosync": {\n      "command": "p"\n    }, "b": 2}\n}',
        ),
    ],
)
def test_the_rest_of_the_text_stays_as_it_is(before: str, after: str) -> None:
    assert with_member(before, PATH, {"command": "p"}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", "{}"),
        ('{"mcpServers": []}', '{"mcpServers": []}'),
        ('{"mcpServers": {"roosync": {}}, "x": 1}', '{"mcpServers": {}, "x": 1}'),
        ('{"mcpServers": {"roosync": {}, "b": 2}}', '{"mcpServers": {"b": 2}}'),
        ('{"mcpServers": {"a": 1,\n  "roosync": {},\n  "b": 2}}', '{"mcpServers": {"a": 1,\n  "b": 2}}'),
        ('{"mcpServers": {"a": 1,\n  "roosync": {}\n}}', '{"mcpServers": {"a": 1\n}}'),
    ],
)
def test_taken_out_it_leaves_the_rest(before: str, after: str) -> None:
    assert without_member(before, PATH) == after


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"a": 1,}',
        '// comment\n{"a": 1}',
        '{"mcpServers": 1}',
        '{"mcpServers": {}, "mcpServers": {}}',
        '{"mcpServers": {"roosync": {}, "roosync": {}}}',
        "{" * 5000,
    ],
)
def test_what_does_not_parse_or_means_two_things_is_refused(text: str) -> None:
    with pytest.raises(InputFault) as refused:
        with_member(text, PATH, ENTRY)
    assert refused.value.code == "bad_json"


documents = st.dictionaries(
    st.sampled_from(["mcpServers", "a", "é", ""]) | st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
).filter(lambda document: isinstance(document.get("mcpServers", {}), dict))


@given(documents, st.sampled_from([None, 0, 1, 4, "\t"]), st.booleans())
def test_put_in_and_taken_out_of_any_document_changes_only_that(document: Any, indent: Any, windows: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    text = text.replace("\n", "\r\n") if windows else text
    edited = with_member(text, PATH, ENTRY)
    expected = {**document, "mcpServers": {**document.get("mcpServers", {}), "roosync": ENTRY}}
    assert json.loads(edited) == expected
    assert list(json.loads(edited))[: len(document)] == list(document)
    assert with_member(edited, PATH, ENTRY) == edited
    assert json.loads(without_member(edited, PATH)).get("mcpServers") == {
        key: value for key, value in document.get("mcpServers", {}).items() if key != "roosync"
    }
