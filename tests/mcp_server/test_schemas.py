"""The schemas that clients see, and what is refused before the node is asked."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from roosync_p2p.errors import UsageError
from roosync_p2p.mcp_server.schemas import ReadAsked, SendAsked, parse_arguments, schema_of
from roosync_p2p.mcp_server.tools import TOOLS


@pytest.mark.parametrize("name", TOOLS)
def test_every_schema_is_one_without_references(name: str) -> None:
    for kind in (TOOLS[name].takes, TOOLS[name].gives):
        schema = schema_of(kind)
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert "$ref" not in json.dumps(schema)


def test_what_does_not_fit_is_named_with_what_does() -> None:
    wrong: list[dict[str, object]] = [{"mode": "all"}, {"limit": 0}, {"limit": "many"}, {"messages": []}]
    for arguments in wrong:
        with pytest.raises(UsageError) as refused:
            parse_arguments(arguments, ReadAsked, tool="roosync_read")
        assert "message_id" in refused.value.remedy


def test_numbers_in_quotes_are_numbers() -> None:
    assert parse_arguments({"limit": "5"}, ReadAsked, tool="roosync_read").limit == 5
    assert parse_arguments(None, SendAsked, tool="roosync_send").action == "send"
