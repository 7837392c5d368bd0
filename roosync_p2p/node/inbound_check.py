"""Whether others can connect to the machine that just joined: the joiner's side (docs/protocol/trust.md §4).

The node does not run yet, so this listens where it will, for as long as the issuer takes to dial back. The machine has
joined by now: nothing here fails, what cannot be checked is said.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable
from typing import Any, Final

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.firewall import this_allow_command
from roosync_p2p.adapters.home import Home, read_settings
from roosync_p2p.adapters.keystore import Identity
from roosync_p2p.adapters.websocket.dial_back import open_to_dial_back
from roosync_p2p.adapters.websocket.dialer import host_of
from roosync_p2p.adapters.websocket.joining import JoinConnection
from roosync_p2p.adapters.websocket.tls import TlsIdentity
from roosync_p2p.codec.records import encode
from roosync_p2p.core.settings import parse_host_port, parse_toml
from roosync_p2p.errors import MalformedError, NetworkError, RoosyncError
from roosync_p2p.trust.dial_back import CONNECTED, DialBack, DialledBack, decode_dialled_back

__all__ = ["Inbound", "check_inbound"]

# A firewall on this computer may be the reason. Not for `rejected`: what answers there is another program.
_FIREWALL_MAY: Final = frozenset({"refused", "silent", "unanswered"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What is known.

    Attributes:
        outcome: ``connected``, how the dial ended, or why nobody dialled: ``same_computer``, ``loopback_only``,
            ``no_fixed_port``, ``not_offered``, ``no_report``, ``port_taken`` and other codes of errors.
        port: that was to be checked, None if it is not known.
        seen_as: the address that was dialled.
        message: the error of a check that was not made.
    """

    outcome: str
    port: int | None = None
    seen_as: str | None = None
    message: str = ""
    firewall_rule: str | None = None

    def document(self) -> dict[str, Any]:
        """For ``join --json``."""
        checked = self.seen_as is not None
        return {
            "checked": checked,
            "reachable": self.outcome == CONNECTED if checked else None,
            "outcome": self.outcome,
            "firewall_rule": self.firewall_rule,
            "port": self.port,
            "seen_as": self.seen_as,
            "message": self.message,
        }


async def check_inbound(
    connection: JoinConnection,
    home: Home,
    identity: Identity,
    allow_command: Callable[[int], str | None] = this_allow_command,
) -> Inbound:
    """Asks the issuer to dial back, and listens meanwhile. The joining conversation is over afterwards.

    Args:
        allow_command: what lets others in to a port of this computer.
    """
    try:
        host, port = parse_host_port(parse_toml(read_settings(home)).node.listen, key="node.listen")
    except RoosyncError as error:
        return Inbound(outcome=error.code, message=error.message)
    pointless = _pointless(host, port, connection)
    if pointless:
        return Inbound(outcome=pointless, port=port or None)
    keys = TlsIdentity(chain=identity.chain_path, key=identity.key_path, root=identity.root_path)
    try:
        async with open_to_dial_back(host, port, keys):
            report = await _report(connection, port)
    except RoosyncError as error:  # the port is taken, or may not be listened on
        return Inbound(outcome=error.code, port=port, message=error.message)
    if isinstance(report, str):
        return Inbound(outcome=report, port=port)
    rule = allow_command(port) if _rule_may_help(report, connection) else None
    return Inbound(outcome=report.outcome, port=port, seen_as=report.host, firewall_rule=rule)


def _pointless(host: str, port: int, connection: JoinConnection) -> str:
    """Why a connection from there would say nothing about other machines."""
    if port == 0:
        return "no_fixed_port"
    if _is_loopback(host):
        return "loopback_only"
    return "same_computer" if connection.on_one_computer else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _report(connection: JoinConnection, port: int) -> DialledBack | str:
    """The issuer's report, or why there is none; an older issuer hangs up instead."""
    try:
        with anyio.fail_after(limits.DIAL_BACK_REPORT_S):
            await connection.send(encode(DialBack(port=port)))
            return decode_dialled_back(await connection.receive())
    except NetworkError:
        return "not_offered"
    except (MalformedError, TimeoutError):
        return "no_report"


def _rule_may_help(report: DialledBack, connection: JoinConnection) -> bool:
    """Not where addresses are translated on the way: what stands there is another firewall than this computer's."""
    return report.outcome in _FIREWALL_MAY and report.host == host_of(connection.local)
