"""Finding nodes on the LAN by multicast DNS (docs/protocol/links.md §6).

What is found is only somewhere to try: anybody on the LAN can announce anything, and a record stays long after its node
died. A network without multicast costs a warning and nothing else. The library is imported when it is needed.

When the interfaces change, everything is closed and opened anew: one path for every version of the library, and what
neighbours remember of us meanwhile are addresses only.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.interfaces import Interface, choose_interfaces, read_interfaces
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import FleetId, MachineId, parse_fleet_id, parse_machine_id

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

__all__ = ["SERVICE_TYPE", "MdnsDiscovery", "NodeSeen", "browse_fleets", "parse_announcement"]

SERVICE_TYPE: Final = "_roosync._tcp.local."

_LOG: Final = logging.getLogger(__name__)
_Interfaces = Callable[[], tuple[Interface, ...]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """What one node announces. Nothing of it is proven. ``addresses`` are ``host:port``, at least one."""

    fleet: FleetId
    machine: MachineId
    addresses: tuple[str, ...]


class MdnsDiscovery:
    """Announces this node and looks for others of its fleet, for as long as :meth:`run` runs.

    Args:
        port: where this node listens.
        found: called for every other node of this fleet, again when it changes.
        warned: called with one sentence when discovery does not work here; it goes on trying.
        wanted: the setting ``discovery.interfaces``.
        interfaces: reads the computer's interfaces; blocks, and may raise OSError.
    """

    def __init__(
        self,
        *,
        fleet: FleetId,
        machine: MachineId,
        port: int,
        found: Callable[[NodeSeen], None],
        warned: Callable[[str], None],
        wanted: Sequence[str] = (),
        interfaces: _Interfaces = read_interfaces,
    ) -> None:
        self._fleet: Final = fleet
        self._machine: Final = machine
        self._port: Final = port
        self._found: Final = found
        self._warned: Final = warned
        self._wanted: Final = tuple(wanted)
        self._interfaces: Final = interfaces
        self._last_warning = ""

    async def run(self) -> None:
        """Announces and looks until cancelled; says goodbye then, within a bound."""
        while True:
            try:
                chosen = await self._choose()
                if chosen:
                    await self._session(chosen)
                else:
                    await anyio.sleep(limits.INTERFACE_POLL_S)
            except* OSError as errors:
                reason = errors.exceptions[0]
                self._warn(f"mDNS does not work here, other nodes are found by their addresses only: {reason}")
                await anyio.sleep(limits.INTERFACE_POLL_S)

    async def _session(self, chosen: tuple[Interface, ...]) -> None:
        """One life of the library: until the interfaces change."""
        zeroconf = _open(chosen)
        try:
            async with anyio.create_task_group() as tasks:
                _browse(zeroconf, tasks, self._seen)
                tasks.start_soon(self._register, zeroconf, chosen)
                while await self._choose() == chosen:  # noqa: ASYNC110 - no event for it on all platforms
                    await anyio.sleep(limits.INTERFACE_POLL_S)
                tasks.cancel_scope.cancel()
        finally:
            await _close(zeroconf)

    async def _choose(self) -> tuple[Interface, ...]:
        found = await anyio.to_thread.run_sync(self._interfaces)
        return choose_interfaces(found, self._wanted)

    async def _register(self, zeroconf: AsyncZeroconf, chosen: Iterable[Interface]) -> None:
        """Takes 1.1 s: the name is probed three times before it is announced."""
        from zeroconf import Error  # noqa: PLC0415 - lazy

        try:
            await zeroconf.async_register_service(self._announcement(chosen), allow_name_change=True)
        except Error as error:
            self._warn(f"this node cannot announce itself on the LAN: {error}")

    def _announcement(self, chosen: Iterable[Interface]) -> AsyncServiceInfo:
        from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415 - lazy

        fleet = self._fleet.hex()
        label = f"{self._machine}-{fleet[:8]}"
        return AsyncServiceInfo(
            SERVICE_TYPE,
            f"{label}.{SERVICE_TYPE}",
            port=self._port,
            properties={"fleet": fleet, "machine": self._machine, "port": str(self._port)},
            server=f"{label.replace('_', '-')}.local.",
            addresses=[ipaddress.ip_address(one.address).packed for one in chosen],
        )

    def _seen(self, node: NodeSeen) -> None:
        if node.fleet == self._fleet and node.machine != self._machine:
            self._found(node)

    def _warn(self, message: str) -> None:
        if message != self._last_warning:  # the same one every few seconds helps nobody
            self._last_warning = message
            self._warned(message)


async def browse_fleets(
    timeout_s: float,
    *,
    enough: Callable[[NodeSeen], bool] = lambda _node: False,
    wanted: Sequence[str] = (),
    interfaces: _Interfaces = read_interfaces,
) -> tuple[NodeSeen, ...]:
    """The nodes of any fleet that answer on the LAN within the time, for a computer without an identity.

    Args:
        enough: whether that node is the one that was looked for; then nobody else is waited for.

    Raises:
        OSError: there is no multicast here.
    """
    seen: dict[tuple[FleetId, MachineId], NodeSeen] = {}
    found = anyio.Event()

    def remember(node: NodeSeen) -> None:
        seen[node.fleet, node.machine] = node
        if enough(node):
            found.set()

    chosen = choose_interfaces(await anyio.to_thread.run_sync(interfaces), wanted)
    if not chosen:
        return ()
    zeroconf = _open(chosen)
    try:
        async with anyio.create_task_group() as tasks:
            _browse(zeroconf, tasks, remember)
            with anyio.move_on_after(timeout_s):
                await found.wait()
            tasks.cancel_scope.cancel()
    finally:
        await _close(zeroconf)
    return tuple(sorted(seen.values(), key=lambda node: (node.fleet, node.machine)))


def parse_announcement(
    properties: dict[bytes, bytes | None], port: int | None, addresses: Iterable[str]
) -> NodeSeen | None:
    """What was announced, None if it is not an announcement of ours or names no address that can be dialled."""
    try:
        fleet = parse_fleet_id((properties.get(b"fleet") or b"").decode("ascii"))
        machine = parse_machine_id((properties.get(b"machine") or b"").decode("ascii"))
    except (MalformedError, UnicodeDecodeError):
        return None
    if not port or not 0 < port < 65536:
        return None
    hosts = [address for address in map(_dialable, addresses) if address]
    named = tuple(f"{host}:{port}" for host in dict.fromkeys(hosts))[: limits.ADDRESSES_PER_MACHINE_MAX]
    return NodeSeen(fleet=fleet, machine=machine, addresses=named) if named else None


def _dialable(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""  # with a scope: link-local
    if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        return ""
    return f"[{parsed}]" if parsed.version == 6 else str(parsed)


def _open(chosen: Iterable[Interface]) -> AsyncZeroconf:
    from zeroconf import IPVersion  # noqa: PLC0415 - lazy
    from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415 - lazy

    over = [one.address for one in chosen if ":" not in one.address]
    if not over:
        raise OSError("no interface with an IPv4 address")
    return AsyncZeroconf(interfaces=over, ip_version=IPVersion.V4Only)


def _browse(zeroconf: AsyncZeroconf, tasks: anyio.abc.TaskGroup, seen: Callable[[NodeSeen], None]) -> None:
    from zeroconf import ServiceStateChange  # noqa: PLC0415 - lazy
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo  # noqa: PLC0415 - lazy

    resolving: set[str] = set()

    async def resolve(name: str) -> None:
        info = AsyncServiceInfo(SERVICE_TYPE, name)
        try:
            complete = await info.async_request(zeroconf.zeroconf, limits.MDNS_RESOLVE_TIMEOUT_S * 1000)
        finally:
            resolving.discard(name)
        node = parse_announcement(info.properties, info.port, info.parsed_scoped_addresses()) if complete else None
        if node is not None:
            seen(node)

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:  # noqa: ARG001 - by keyword
        if state_change is ServiceStateChange.Removed or name in resolving:
            return  # a record that ran out says nothing about the node
        if len(resolving) < limits.MDNS_NODES_MAX:
            resolving.add(name)
            tasks.start_soon(resolve, name)

    AsyncServiceBrowser(zeroconf.zeroconf, SERVICE_TYPE, handlers=[changed])


async def _close(zeroconf: AsyncZeroconf) -> None:
    with anyio.move_on_after(limits.MDNS_CLOSE_TIMEOUT_S, shield=True) as scope:
        await zeroconf.async_close()
    if scope.cancelled_caught:
        _LOG.warning("mDNS did not close in time")
