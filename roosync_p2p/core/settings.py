"""What a user may choose: the schema of ``settings.toml``, as data.

Pure: text goes in, a frozen :class:`Settings` comes out. Every key stands once in ``_KEYS`` with its type, default,
unit and bounds, and parsing, defaults and the listing are derived from that table. A key that is not in it is an
error that names it and the closest one that is. Who reads the file, and when, is decided elsewhere.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.core.setting_faults import bad_setting as _fault
from roosync_p2p.core.setting_faults import unknown_setting as _unknown
from roosync_p2p.core.text import decode_text
from roosync_p2p.core.wake_settings import WakeSettings, parse_wakes
from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import parse_machine_id
from roosync_p2p.liveness.profile import NAMED

__all__ = [
    "DiscoverySettings",
    "FolderSettings",
    "KeyInfo",
    "LivenessSettings",
    "MailSettings",
    "McpSettings",
    "NodeSettings",
    "Settings",
    "UiSettings",
    "describe",
    "flatten",
    "join_host_port",
    "parse_host_port",
    "parse_settings",
    "parse_toml",
    "with_folder",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """``[node]``. ``machine`` is None where the identity's own name counts; ``listen`` is host:port."""

    machine: str | None
    listen: str
    log_level: str
    reminders: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """``[discovery]``. ``interfaces`` empty: all but virtual adapters. ``peers`` are host:port."""

    mdns: bool
    interfaces: tuple[str, ...]
    peers: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LivenessSettings:
    """``[liveness]``, seconds, resolved: the profile's numbers, or the user's own (``profile`` is then "custom")."""

    profile: str
    interval_s: float
    suspect_s: float
    offline_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """``[folder]``. ``path`` empty: there is none; the first that holds this fleet's marker is used."""

    path: tuple[str, ...]
    enabled: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class McpSettings:
    """``[mcp]``. ``http``: the node keeps one server for all clients of this computer, at ``port`` of loopback."""

    start_node: bool
    http: bool
    port: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """``[mail]``: what this machine's sessions may send."""

    sends_a_minute: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UiSettings:
    """``[ui]``: the language of terminal text; JSON, codes and logs stay English."""

    language: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, legal once built."""

    node: NodeSettings
    discovery: DiscoverySettings
    liveness: LivenessSettings
    folder: FolderSettings
    mcp: McpSettings
    mail: MailSettings
    ui: UiSettings
    wakes: tuple[WakeSettings, ...] = ()  # ``[wake.<name>]``


class KeyInfo(NamedTuple):
    """One row of ``roosync settings list``."""

    key: str
    type: str
    default: object
    unit: str
    description: str


def parse_toml(data: bytes) -> Settings:
    """Settings from the bytes of ``settings.toml``.

    Raises:
        InputFault: code ``bad_setting``: not TOML, or a key is unknown or out of its bounds.
    """
    if len(data) > limits.SETTINGS_BYTES_MAX:
        raise _fault("settings.toml", f"is larger than {limits.SETTINGS_BYTES_MAX} bytes", "a smaller file")
    try:
        return parse_settings(tomllib.loads(decode_text(data, what="settings.toml")))
    except tomllib.TOMLDecodeError as error:
        raise _fault("settings.toml", f"is not TOML: {error}", "see `roosync settings list`") from error
    except UsageError as error:
        raise _fault("settings.toml", error.message, "UTF-8 text") from error


def parse_settings(table: Mapping[str, object]) -> Settings:
    """Settings from a parsed ``settings.toml``; what is absent gets its default.

    Raises:
        InputFault: code ``bad_setting``: a key is unknown or out of its bounds; nothing is taken over.
    """
    wakes = parse_wakes(table.get("wake", {}))
    values = _values({section: content for section, content in table.items() if section != "wake"})
    return Settings(
        wakes=wakes,
        node=NodeSettings(
            machine=_optional_text(values["node.machine"]),
            listen=str(values["node.listen"]),
            log_level=str(values["node.log_level"]),
            reminders=bool(values["node.reminders"]),
        ),
        discovery=DiscoverySettings(
            mdns=bool(values["discovery.mdns"]),
            interfaces=_texts(values["discovery.interfaces"]),
            peers=_texts(values["discovery.peers"]),
        ),
        liveness=_liveness(values),
        folder=FolderSettings(path=_texts(values["folder.path"]), enabled=bool(values["folder.enabled"])),
        mcp=McpSettings(
            start_node=bool(values["mcp.start_node"]),
            http=bool(values["mcp.http"]),
            port=int(str(values["mcp.port"])),
        ),
        mail=MailSettings(sends_a_minute=int(str(values["mail.sends_a_minute"]))),
        ui=UiSettings(language=str(values["ui.language"])),
    )


def with_folder(settings: Settings, path: str) -> Settings:
    """The settings with another shared folder, which is then used whatever the file says."""
    return dataclasses.replace(settings, folder=FolderSettings(path=(path,), enabled=True))


def describe() -> list[KeyInfo]:
    """Every key with type, default, unit and description, in the order of the file."""
    return [KeyInfo(key, row.type, row.default, row.unit, row.description) for key, row in _KEYS.items()]


def flatten(settings: Settings) -> dict[str, object]:
    """The effective value of every key, JSON-compatible, keyed as in :func:`describe`."""
    nested = dataclasses.asdict(settings)
    values = {key: nested[section][name] for key in _KEYS for section, _, name in [key.partition(".")]}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def parse_host_port(text: str, *, key: str = "address") -> tuple[str, int]:
    """Host and port of ``host:port``, ``[v6]:port`` or ``wss://host:port``.

    Raises:
        InputFault: code ``bad_setting``, naming ``key``.
    """
    bare = text.removeprefix("wss://").rstrip("/")
    host, colon, port_text = bare.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") and host.endswith("]") else host
    port = int(port_text) if port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 else -1
    if not colon or not host or any(c in host for c in " /@[]") or not 0 <= port <= 65535:
        raise _fault(key, f"is {text[:80]!r}", "HOST:PORT, or [IPV6]:PORT, with a port of 0 to 65535")
    return host, port


def join_host_port(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# --- parsers of one value ----------------------------------------------------------------------------------------

_Parser = Callable[[str, object], object]


def _choice(*allowed: str) -> _Parser:
    def parse(key: str, value: object) -> object:
        if value not in allowed:
            raise _fault(key, f"is {value!r}", "one of " + ", ".join(f'"{choice}"' for choice in allowed))
        return value

    return parse


def _seconds(low: float, high: float) -> _Parser:
    def parse(key: str, value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise _fault(key, f"is {value!r}", f"a number of seconds from {low:g} to {high:g}")

    return parse


def _whole(low: int, high: int) -> _Parser:
    def parse(key: str, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise _fault(key, f"is {value!r}", f"a whole number from {low} to {high}")

    return parse


def _boolean(key: str, value: object) -> object:
    if not isinstance(value, bool):
        raise _fault(key, f"is {value!r}", "true or false")
    return value


def _port(key: str, value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    raise _fault(key, f"is {value!r}", "a port from 1 to 65535")


def _machine(key: str, value: object) -> object:
    try:
        return parse_machine_id(value if isinstance(value, str) else repr(value))
    except MalformedError as error:
        raise _fault(key, error.message, "a machine id such as myia-po-2023") from error


def _listen(key: str, value: object) -> object:
    host, port = parse_host_port(value if isinstance(value, str) else repr(value), key=key)
    return join_host_port(host, port)


def _peers(key: str, value: object) -> object:
    return [_listen(key, peer) for peer in _list_of_text(key, value)]


def _list_of_text(key: str, value: object) -> list[str]:
    if (
        not isinstance(value, list)
        or len(value) > limits.SETTING_LIST_MAX
        or not all(isinstance(item, str) and 0 < len(item) <= 255 for item in value)
    ):
        raise _fault(key, f"is {str(value)[:80]}", f"a list of at most {limits.SETTING_LIST_MAX} texts")
    return value


def _paths(key: str, value: object) -> object:
    return _list_of_text(key, [value] if isinstance(value, str) else value)


# --- the table ---------------------------------------------------------------------------------------------------


class _Key(NamedTuple):
    type: str
    default: object
    unit: str
    parse: _Parser
    description: str


_SUSPECT_FACTOR: Final = 3  # as in the profile lan
_OFFLINE_FACTOR: Final = 5

_KEYS: Final[Mapping[str, _Key]] = {
    "node.machine": _Key(
        "text", None, "", _machine, "must equal the machine id of the identity when set; guards against a copied home"
    ),
    "node.listen": _Key(
        "host:port", "0.0.0.0:47600", "", _listen, "where links from other nodes are accepted; port 0 picks a free one"
    ),
    "node.log_level": _Key(
        '"debug", "info", "warning" or "error"',
        "info",
        "",
        _choice("debug", "info", "warning", "error"),
        "how much is written to logs/",
    ),
    "node.reminders": _Key(
        "true or false", True, "", _boolean, "on an issuer: remind of a missing backup and of a missing second issuer"
    ),
    "discovery.mdns": _Key("true or false", True, "", _boolean, "find other nodes on the LAN by multicast DNS"),
    "discovery.interfaces": _Key(
        "list of text",
        [],
        "",
        _list_of_text,
        "names or addresses of the interfaces to use; empty: all but virtual",
    ),
    "discovery.peers": _Key(
        "list of host:port", [], "", _peers, "nodes to dial besides those that are found, such as those at other sites"
    ),
    "liveness.profile": _Key(
        '"lan" or "analysis"',
        "lan",
        "",
        _choice(*NAMED),
        "the three numbers below at once: 1, 3 and 4.8 s, or 30, 90 and 120 s; leave it out to give your own",
    ),
    "liveness.interval_s": _Key("number", None, "seconds", _seconds(0.2, 300), "from one heartbeat to the next"),
    "liveness.suspect_s": _Key(
        "number", None, "seconds", _seconds(0.5, 3600), "without a heartbeat until suspect; 3 intervals when left out"
    ),
    "liveness.offline_s": _Key(
        "number", None, "seconds", _seconds(1, 7200), "without a heartbeat until offline; 5 intervals when left out"
    ),
    "folder.path": _Key(
        "text or list of text",
        [],
        "",
        _paths,
        "the shared folder, a directory that some program copies to every machine; of several the first that is it",
    ),
    "folder.enabled": _Key("true or false", True, "", _boolean, "use the shared folder, where one is named"),
    "mcp.start_node": _Key(
        "true or false", False, "", _boolean, "the MCP server starts the node when a tool is called and none runs"
    ),
    "mcp.http": _Key(
        "true or false",
        False,
        "",
        _boolean,
        "the node keeps one MCP server for all agents of this computer, on loopback",
    ),
    "mcp.port": _Key("number", 47601, "", _port, "where that server listens, on 127.0.0.1"),
    "mail.sends_a_minute": _Key(
        "number",
        limits.SENDS_A_MINUTE,
        "messages a minute",
        _whole(1, limits.SENDS_A_MINUTE_MAX),
        "how many messages one session may send",
    ),
    "ui.language": _Key('"en" or "fr"', "en", "", _choice("en", "fr"), "language of text at a terminal"),
}
_SECTIONS: Final = tuple(dict.fromkeys(key.partition(".")[0] for key in _KEYS))


def _values(table: Mapping[str, object]) -> dict[str, object]:
    """The parsed value of every key; None or the default where the file says nothing."""
    values: dict[str, object] = {key: row.default for key, row in _KEYS.items()}
    values["liveness.profile"] = None  # its default counts only when none of the three numbers is given
    for section, content in table.items():
        if section not in _SECTIONS:
            raise _unknown(f"[{section}]", section, (*_SECTIONS, "wake.<name>"), "section")
        if not isinstance(content, dict):
            raise _fault(section, "is a value", f"a section [{section}]")
        for name, value in content.items():
            key = f"{section}.{name}"
            if key not in _KEYS:
                raise _unknown(key, key, tuple(_KEYS), "key")
            values[key] = _KEYS[key].parse(key, value)
    return values


def _liveness(values: Mapping[str, object]) -> LivenessSettings:
    """The profile's numbers, or the user's own with the rest in proportion; both at once contradict each other."""
    own = {name: values[f"liveness.{name}"] for name in ("interval_s", "suspect_s", "offline_s")}
    given = {name: value for name, value in own.items() if isinstance(value, float)}
    profile = _optional_text(values["liveness.profile"])
    if profile is not None and given:
        raise _fault(f"liveness.{min(given)}", "is given beside liveness.profile", "one of the two, not both")
    if not given:
        profile = profile or "lan"
        chosen = NAMED[profile]
        interval_s, suspect_s, offline_s = chosen.interval_s, chosen.suspect_s, chosen.offline_s
    else:
        interval_s = given.get("interval_s", NAMED["lan"].interval_s)
        suspect_s = given.get("suspect_s", interval_s * _SUSPECT_FACTOR)
        offline_s = given.get("offline_s", max(interval_s * _OFFLINE_FACTOR, suspect_s * _OFFLINE_FACTOR / 3))
        profile = "custom"
    if not interval_s * 2 <= suspect_s < offline_s:
        raise _fault(
            "liveness.suspect_s",
            f"is {suspect_s:g} with interval_s = {interval_s:g} and offline_s = {offline_s:g}",
            "twice interval_s or more, and less than offline_s",
        )
    return LivenessSettings(profile=profile, interval_s=interval_s, suspect_s=suspect_s, offline_s=offline_s)


def _optional_text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(value: object) -> tuple[str, ...]:
    assert isinstance(value, list)  # its parser said so
    return tuple(str(item) for item in value)
