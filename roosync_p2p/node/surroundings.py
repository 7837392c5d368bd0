"""What a node knows of the computer it runs on: shown in ``status`` and judged by ``doctor``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import anyio

from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now
from roosync_p2p.clock import Now
from roosync_p2p.ids import KeyId

__all__ = ["Surroundings"]


@dataclasses.dataclass(slots=True, kw_only=True)
class Surroundings:
    """Facts that the running node gathers about its place.

    Attributes:
        listening: bound addresses.
        reachable: what is told to others, ``host:port``.
        mdns_warning: why discovery does not work here; empty if it does.
        mcp_warning: why the MCP server does not stay up; empty if it does, or none is wanted.
        mdns: whether discovery is on.
        folder: where the shared folder is at the moment; None without one.
        traffic: what the transport has counted, by name.
        remind: whether an issuer's user wants to be reminded of what would be lost with its disk.
        backed_up: whether a backup of this home was made that holds these keys.
        others: more warnings, of parts of the node.
        stop: set once somebody asked the node to end.
    """

    store: SqliteStore
    listening: tuple[str, ...] = ()
    reachable: tuple[str, ...] = ()
    mdns: bool = True
    mdns_warning: str = ""
    mcp_warning: str = ""
    folder: Callable[[], Path] | None = None
    traffic: Callable[[], Mapping[str, int]] = dict
    remind: bool = True
    backed_up: Callable[[Iterable[KeyId]], bool] = lambda _keys: False
    others: list[Callable[[], list[dict[str, object]]]] = dataclasses.field(default_factory=list)
    stop: anyio.Event = dataclasses.field(default_factory=anyio.Event)
    stop_reason: str = ""
    now: Callable[[], Now] = read_now

    def ask_to_stop(self, reason: str) -> None:
        """Begins the orderly end."""
        self.stop_reason = self.stop_reason or reason
        self.stop.set()

    def warn_of_mcp(self, message: str) -> None:
        """Sets or takes back that warning."""
        self.mcp_warning = message

    def warnings(self) -> list[dict[str, object]]:
        """What a person should know about this computer."""
        told = (
            ("mdns", self.mdns_warning, "name the others' addresses: [discovery] peers in settings.toml, or --peer"),
            ("mcp", self.mcp_warning, "see logs/mcp.log in the home; or set [mcp] http = false and restart the node"),
        )
        found: list[dict[str, object]] = [
            {"code": code, "message": message, "remedy": remedy} for code, message, remedy in told if message
        ]
        return [*self.of_parts(), *found]

    def of_parts(self) -> list[dict[str, object]]:
        """What the parts of the node warn of."""
        return [warning for part in self.others for warning in part()]
