"""The names and parameters that agents were trained on: RooSync v2.3 and the forms with an action after it.

None of them is listed. Each becomes a call of a listed tool; what the node cannot do answers with an error that says so
and what to do instead. Parameters that have no meaning here are named in the answer, never dropped in silence.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

from roosync_p2p.errors import InputFault, RoosyncError, UsageError
from roosync_p2p.mcp_server.tools import TOOLS

__all__ = ["FORMER", "Meant", "meant_by", "unknown_tool"]

Arguments = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The call of a listed tool that a former one is, and what is to be said about it."""

    tool: str
    arguments: dict[str, Any]
    notes: tuple[str, ...] = ()


# --- v2.3: a name and its parameters; to which tool, under which fields -------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """One name: fixed fields, fields that are called otherwise now, and parameters without a meaning here."""

    tool: str
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    without: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_DECIDED: Final = {"decisionId": "decision_id"}
_ALWAYS_FRESH: Final = "what is shown is always current"

_NAMES: Final[Mapping[str, _Name]] = {
    "roosync_send_message": _Name(
        tool="roosync_send",
        fixed={"action": "send"},
        fields={**_same("to", "subject", "body", "priority", "tags", "thread_id"), "reply_to": "message_id"},
    ),
    "roosync_reply_message": _Name(
        tool="roosync_send", fixed={"action": "reply"}, fields=_same("message_id", "body", "priority", "tags")
    ),
    "roosync_amend_message": _Name(
        tool="roosync_send", fixed={"action": "amend"}, fields=_same("message_id", "new_content", "reason")
    ),
    "roosync_read_inbox": _Name(tool="roosync_read", fixed={"mode": "inbox"}, fields=_same("status", "limit")),
    "roosync_get_message": _Name(
        tool="roosync_read", fixed={"mode": "message"}, fields=_same("message_id", "mark_as_read")
    ),
    "roosync_mark_message_read": _Name(
        tool="roosync_manage", fixed={"action": "mark_read"}, fields=_same("message_id")
    ),
    "roosync_archive_message": _Name(tool="roosync_manage", fixed={"action": "archive"}, fields=_same("message_id")),
    "roosync_get_status": _Name(tool="roosync_status", fields={"machineFilter": "machine"}),
    "roosync_heartbeat_status": _Name(
        tool="roosync_status",
        fields={"filter": "state"},
        without={
            "includeHeartbeats": "the evidence and its age stand beside each machine",
            "forceCheck": _ALWAYS_FRESH,
            "includeChanges": "changes come as events; call roosync_status again",
        },
    ),
    "roosync_init": _Name(
        tool="roosync_status",
        without={
            "force": "there is nothing to initialise: the node keeps its own state",
            "createRoadmap": "the node does not write a roadmap file yet",
        },
    ),
    "roosync_get_active_config": _Name(tool="roosync_status"),
    "roosync_get_decision_details": _Name(
        tool="roosync_decision",
        fixed={"action": "show"},
        fields=_DECIDED,
        without={"includeHistory": "approvals and targets are always shown", "includeLogs": "see the fleet's log"},
    ),
    "roosync_approve_decision": _Name(
        tool="roosync_decision", fixed={"action": "approve"}, fields={**_DECIDED, "comment": "note"}
    ),
    "roosync_reject_decision": _Name(
        tool="roosync_decision", fixed={"action": "reject"}, fields={**_DECIDED, "reason": "note"}
    ),
    "roosync_apply_decision": _Name(
        tool="roosync_decision",
        fixed={"action": "apply"},
        fields=_DECIDED,
        without={"force": "what is not approved cannot be applied by force"},
    ),
    "roosync_rollback_decision": _Name(
        tool="roosync_decision", fixed={"action": "rollback"}, fields={**_DECIDED, "reason": "note"}
    ),
}

# --- what the node does not do ------------------------------------------------------------------------------------

_COLLECTING: Final = "this node does not collect, publish, compare or apply configurations yet; nothing was done"
_INSTEAD: Final = (
    "for what the fleet has agreed on use roosync_baseline (show, set, diff); to change it, roosync_decision propose; "
    "to ask another machine for its files, roosync_send"
)
_MISSING: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(
        (
            "roosync_compare_config",
            "roosync_list_diffs",
            "roosync_collect_config",
            "roosync_publish_config",
            "roosync_apply_config",
            "roosync_config",
        ),
        (_COLLECTING, _INSTEAD),
    ),
    **dict.fromkeys(
        ("roosync_get_machine_inventory", "roosync_inventory"),
        (
            "this node keeps no inventories of machines yet; nothing was done",
            "roosync_status shows the machines; to ask one for its inventory, roosync_send",
        ),
    ),
    "roosync_refresh_dashboard": (
        "this node writes no dashboard file yet; nothing was done",
        "roosync_status shows the same, and is always current",
    ),
}

# --- one name for all of messages, and later fields of listed tools ------------------------------------------------

_MESSAGES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    **{action: ("roosync_send", {"action": action}) for action in ("send", "reply", "amend")},
    **{mode: ("roosync_read", {"mode": mode}) for mode in ("inbox", "message", "thread", "search")},
    **{
        action: ("roosync_manage", {"action": action})
        for action in ("mark_read", "archive", "keep", "ack", "decline", "bulk_mark_read", "bulk_archive")
    },
    "wait": ("roosync_wait", {}),
}
_LATER: Final[Mapping[str, Mapping[str, str]]] = {
    "roosync_send": {"reply_to": "message_id", "messageId": "message_id"},
    "roosync_read": {"messageId": "message_id", "markAsRead": "mark_as_read", "from": "sender"},
    "roosync_manage": {"messageId": "message_id", "messageIds": "message_ids", "from": "sender"},
    "roosync_decision": {"decisionId": "decision_id", "comment": "note", "reason": "note"},
}

FORMER: Final = (*_NAMES, *_MISSING, "roosync_messages")


def meant_by(name: str, arguments: Arguments) -> Meant:
    """The call that is meant by a name and its arguments.

    Raises:
        InputFault: ``not_available``: the node does not do that.
        UsageError: ``unknown_tool``, ``bad_field``.
    """
    if name in TOOLS:
        return _tidy(Meant(tool=name, arguments=_renamed(arguments, _LATER.get(name, {}))))
    if name in _MISSING:
        what, instead = _MISSING[name]
        raise InputFault(f"{name}: {what}", code="not_available", remedy=instead)
    if name == "roosync_messages":
        return _tidy(_by_action(arguments))
    if name in _NAMES:
        return _tidy(_by_name(_NAMES[name], arguments))
    raise unknown_tool(name)


def unknown_tool(name: str) -> RoosyncError:
    """The error of a name that nobody has had."""
    close = difflib.get_close_matches(name, (*TOOLS, *FORMER), n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return UsageError(
        f"there is no tool {name[:60]!r}", code="unknown_tool", remedy=f"{hint}the tools are: {', '.join(TOOLS)}"
    )


def _by_name(known: _Name, arguments: Arguments) -> Meant:
    said: dict[str, Any] = dict(known.fixed)
    notes: list[str] = []
    for name, value in arguments.items():
        if name in known.fields:
            said[known.fields[name]] = value
        elif value is not None:
            notes.append(
                f"`{name}` has no effect here: {known.without.get(name, 'it is not a parameter of this tool')}"
            )
    dry = arguments.get("dryRun")
    if dry and said.get("action") == "apply":
        said["action"] = "show"
        notes = [note for note in notes if "`dryRun`" not in note]
        notes.append("`dryRun`: nothing was applied; this is what would be")
    if said.get("action") == "rollback" and not said.get("note"):
        said.pop("note", None)
    return Meant(tool=known.tool, arguments=said, notes=tuple(notes))


def _by_action(arguments: Arguments) -> Meant:
    action = str(arguments.get("action", ""))
    if action not in _MESSAGES:
        raise UsageError(
            f"roosync_messages does not take the action {action[:40]!r}",
            code="bad_field",
            remedy=f"its actions are: {', '.join(_MESSAGES)}",
        )
    tool, fixed = _MESSAGES[action]
    said = {name: value for name, value in arguments.items() if name != "action"}
    return Meant(tool=tool, arguments={**_renamed(said, _LATER.get(tool, {})), **fixed})


def _renamed(arguments: Arguments, names: Mapping[str, str]) -> dict[str, Any]:
    """Today's field wins where both are given."""
    said = {names.get(name, name): value for name, value in arguments.items() if names.get(name, name) not in arguments}
    return {**said, **{name: value for name, value in arguments.items() if name not in names or names[name] == name}}


_STATES: Final = {"all": None, "warning": "suspect"}

_TIDIED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "state": lambda value: _STATES.get(value, value) if isinstance(value, str) else value,
    "priority": lambda value: value.upper() if isinstance(value, str) else value,
    "tags": lambda value: (
        [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    ),
}


def _tidy(meant: Meant) -> Meant:
    """What was always accepted: priorities in any case, tags as a list or with commas, an answer by ``reply_to``."""
    said = {name: _TIDIED[name](value) if name in _TIDIED else value for name, value in meant.arguments.items()}
    notes = list(meant.notes)
    if meant.tool == "roosync_send" and said.get("action", "send") == "send" and said.get("message_id"):
        said["action"] = "reply"
        follows = [field for field in ("to", "subject", "thread_id") if said.pop(field, None) is not None]
        notes += [f"`{field}` follows from the message that is answered" for field in follows]
    elif meant.tool == "roosync_send" and "message_id" in said and not said["message_id"]:
        del said["message_id"]
    return dataclasses.replace(meant, arguments=said, notes=tuple(notes))
