"""``[wake.<name>]`` of ``settings.toml``: who is told, and how, that a message waits (docs/protocol/waking.md §1).

Pure, like :mod:`~roosync_p2p.core.settings`. Only these settings say what is done on this computer, never a message.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.core.setting_faults import bad_setting, unknown_setting
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import parse_machine_id, parse_workspace

__all__ = ["WakeSettings", "Webhook", "describe_wakes", "flatten_wakes", "parse_wakes"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_URL: Final = re.compile(r"http://(\[[0-9a-fA-F:.]+\]|[^/:@\[\]\s]+):([0-9]{1,5})(/[\x21-\x7e]*)?\Z")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")
_PRIORITIES: Final = ("LOW", "MEDIUM", "HIGH", "URGENT")
_WAYS: Final = ("run", "webhook", "signal_file", "notify")


class Webhook(NamedTuple):
    """Where a request goes: an address of this computer."""

    host: str
    port: int
    target: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WakeSettings:
    """One adapter. Exactly one of ``run``, ``webhook``, ``signal_file`` and ``notify`` is set; an empty filter is none.

    ``workspaces`` may hold the empty text, which is the machine's own inbox.
    """

    name: str
    run: tuple[str, ...] = ()
    directory: str = ""
    webhook: Webhook | None = None
    signal_file: str = ""
    notify: bool = False
    workspaces: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    gather_s: float = limits.WAKE_GATHER_S
    lease_s: float = limits.WAKE_LEASE_S
    every_s: float = limits.WAKE_EVERY_S


def parse_wakes(table: object) -> tuple[WakeSettings, ...]:
    """The adapters in a parsed ``wake`` table, by name.

    Raises:
        InputFault: code ``bad_setting``, naming the key.
    """
    if not isinstance(table, dict) or not all(isinstance(content, dict) for content in table.values()):
        raise bad_setting("wake", "is a value", "sections [wake.<name>]")
    if len(table) > limits.WAKE_ADAPTERS_MAX:
        raise bad_setting("wake", f"has {len(table)} sections", f"at most {limits.WAKE_ADAPTERS_MAX}")
    return tuple(_parse_one(name, content) for name, content in sorted(table.items()))


def describe_wakes() -> list[tuple[str, str, object, str, str]]:
    """Key, type, default, unit and description of every key, for ``settings list``."""
    return [(f"wake.<name>.{key}", row.type, row.default, row.unit, row.description) for key, row in _KEYS.items()]


def flatten_wakes(wakes: tuple[WakeSettings, ...]) -> dict[str, object]:
    """The values in force, JSON-compatible."""
    found: dict[str, object] = {}
    for wake in wakes:
        for key in _KEYS:
            value: Any = getattr(wake, key)
            if isinstance(value, Webhook):
                value = f"http://{value.host}:{value.port}{value.target}"
            found[f"wake.{wake.name}.{key}"] = list(value) if isinstance(value, tuple) else value
    return found


def _parse_one(name: str, content: Mapping[str, object]) -> WakeSettings:
    if not _NAME.match(name):
        raise bad_setting(f"wake.{name[:40]}", "is no name", "up to 32 small letters, digits, - and _")
    values: dict[str, Any] = {}
    for key, value in content.items():
        full = f"wake.{name}.{key}"
        if key not in _KEYS:
            raise unknown_setting(full, key, tuple(_KEYS), "key")
        values[key] = _KEYS[key].parse(full, value)
    ways = [way for way in _WAYS if values.get(way)]
    if len(ways) != 1:
        raise bad_setting(
            f"wake.{name}", f"says {' and '.join(ways) or 'no way'} to wake", f"one of {', '.join(_WAYS)}"
        )
    if values.get("directory") and ways != ["run"]:
        raise bad_setting(f"wake.{name}.directory", "is given without run", "the folder in which a command runs")
    return WakeSettings(name=name, **values)


# --- parsers of one value -----------------------------------------------------------------------------------------


def _texts(check: Callable[[str], str], allowed: str, *, count_max: int = limits.SETTING_LIST_MAX) -> _Parser:
    def parse(key: str, value: object) -> object:
        if not isinstance(value, list) or len(value) > count_max or not all(isinstance(one, str) for one in value):
            raise bad_setting(key, f"is {str(value)[:80]}", f"a list of {allowed}")
        try:
            return tuple(check(one) for one in value)
        except (MalformedError, ValueError) as error:
            raise bad_setting(key, f"is {str(value)[:80]}", f"a list of {allowed}") from error

    return parse


def _seconds(low: float) -> _Parser:
    def parse(key: str, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and low <= value <= limits.WAKE_SPAN_S_MAX:  # type: ignore[operator]  # it is a number
            return float(value)  # type: ignore[arg-type]  # the same
        raise bad_setting(key, f"is {value!r}", f"a number of seconds from {low:g} to {limits.WAKE_SPAN_S_MAX:g}")

    return parse


def _text(key: str, value: object) -> object:
    if not isinstance(value, str) or not value or "\0" in value or len(value) > _PATH_CHARS_MAX:
        raise bad_setting(key, f"is {str(value)[:80]!r}", "a path")
    return value


def _boolean(key: str, value: object) -> object:
    if not isinstance(value, bool):
        raise bad_setting(key, f"is {value!r}", "true or false")
    return value


def _webhook(key: str, value: object) -> object:
    """Only this computer: a message must not make it knock elsewhere."""
    allowed = "http://127.0.0.1:PORT/PATH, or another address of this computer"
    found = _URL.match(value) if isinstance(value, str) and len(value) <= _PATH_CHARS_MAX else None
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise bad_setting(key, f"is {str(value)[:80]!r}", allowed)
    host = found[1].strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise bad_setting(key, f"names {host}, which is not this computer", allowed)
    return Webhook("127.0.0.1" if host == "localhost" else host, int(found[2]), found[3] or "/")


def _workspace(text: str) -> str:
    return text if text == "" else parse_workspace(text)


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.match(text):
            raise ValueError(text)
        return text

    return check


def _priority(text: str) -> str:
    if text.upper() not in _PRIORITIES:
        raise ValueError(text)
    return text.upper()


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError(text)
    return text


_Parser = Callable[[str, object], object]
_PATH_CHARS_MAX: Final = 1024


class _Key(NamedTuple):
    type: str
    default: object
    unit: str
    parse: _Parser
    description: str


_KEYS: Final[Mapping[str, _Key]] = {
    "run": _Key(
        "list of text",
        [],
        "",
        _texts(_argument, "a program and its arguments", count_max=limits.WAKE_COMMAND_ARGUMENTS_MAX),
        "a command, without a shell; ROOSYNC_MESSAGE_IDS and ROOSYNC_WORKSPACE in its environment say what waits",
    ),
    "directory": _Key("text", "", "", _text, "the folder in which the command runs; your home when left out"),
    "webhook": _Key("URL", "", "", _webhook, "a POST to a program on this computer: http://127.0.0.1:PORT/PATH"),
    "signal_file": _Key("text", "", "", _text, "a file that is written with the ids; whoever reads it removes it"),
    "notify": _Key("true or false", False, "", _boolean, "a notification on this computer's desktop"),
    "workspaces": _Key(
        "list of text",
        [],
        "",
        _texts(_workspace, "workspaces"),
        'only for these inboxes; "" is the machine\'s own; empty: all',
    ),
    "types": _Key("list of text", [], "", _texts(_matching(_TYPE), "types of messages"), "only these types"),
    "priorities": _Key(
        "list of text", [], "", _texts(_priority, "LOW, MEDIUM, HIGH and URGENT"), "only these priorities"
    ),
    "senders": _Key("list of text", [], "", _texts(parse_machine_id, "machine ids"), "only from these machines"),
    "gather_s": _Key(
        "number", limits.WAKE_GATHER_S, "seconds", _seconds(0), "messages that come within this are one wake"
    ),
    "lease_s": _Key(
        "number", limits.WAKE_LEASE_S, "seconds", _seconds(0.5), "what nobody took within this is woken for again"
    ),
    "every_s": _Key("number", limits.WAKE_EVERY_S, "seconds", _seconds(0), "from one wake to the next, at least"),
}
