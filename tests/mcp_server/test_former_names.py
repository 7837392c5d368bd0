"""What agents were trained on becomes a call of today's tools."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.errors import InputFault, UsageError
from roosync_p2p.mcp_server.former_names import FORMER, Meant, meant_by
from roosync_p2p.mcp_server.tools import TOOLS


@pytest.mark.parametrize(
    ("name", "arguments", "meant"),
    [
        (
            "roosync_send_message",
            {"to": "b", "subject": "s", "body": "x", "priority": "high", "tags": "a,  b,"},
            Meant(
                tool="roosync_send",
                arguments={
                    "action": "send",
                    "to": "b",
                    "subject": "s",
                    "body": "x",
                    "priority": "HIGH",
                    "tags": ["a", "b"],
                },
            ),
        ),
        (
            "roosync_send_message",
            {"to": "b", "subject": "s", "body": "x", "reply_to": "msg-1"},
            Meant(
                tool="roosync_send",
                arguments={"action": "reply", "body": "x", "message_id": "msg-1"},
                notes=(
                    "`to` follows from the message that is answered",
                    "`subject` follows from the message that is answered",
                ),
            ),
        ),
        (
            "roosync_read_inbox",
            {"status": "all", "limit": 5},
            Meant(tool="roosync_read", arguments={"mode": "inbox", "status": "all", "limit": 5}),
        ),
        (
            "roosync_heartbeat_status",
            {"filter": "warning"},
            Meant(tool="roosync_status", arguments={"state": "suspect"}),
        ),
        (
            "roosync_apply_decision",
            {"decisionId": "D1", "dryRun": True},
            Meant(
                tool="roosync_decision",
                arguments={"action": "show", "decision_id": "D1"},
                notes=("`dryRun`: nothing was applied; this is what would be",),
            ),
        ),
        (
            "roosync_messages",
            {"action": "bulk_mark_read", "from": "b"},
            Meant(tool="roosync_manage", arguments={"action": "bulk_mark_read", "sender": "b"}),
        ),
        (
            "roosync_read",
            {"mode": "message", "messageId": "m", "markAsRead": True},
            Meant(tool="roosync_read", arguments={"mode": "message", "message_id": "m", "mark_as_read": True}),
        ),
    ],
)
def test_a_former_call_is_one_of_today(name: str, arguments: dict[str, Any], meant: Meant) -> None:
    assert meant_by(name, arguments) == meant


def test_a_parameter_without_a_meaning_is_said_never_dropped() -> None:
    notes = meant_by("roosync_apply_decision", {"decisionId": "D1", "force": True, "odd": 1}).notes
    assert notes[0].startswith("`force` has no effect here")
    assert notes[1].startswith("`odd` has no effect here")


def test_what_the_node_does_not_do_says_what_to_do_instead() -> None:
    for name in ("roosync_config", "roosync_compare_config", "roosync_inventory", "roosync_refresh_dashboard"):
        with pytest.raises(InputFault) as refused:
            meant_by(name, {})
        assert refused.value.code == "not_available"
        assert "roosync_" in refused.value.remedy


def test_nobodys_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no tool"):
        meant_by("rm", {})


def test_no_former_name_is_a_listed_one() -> None:
    assert not set(FORMER) & set(TOOLS)
