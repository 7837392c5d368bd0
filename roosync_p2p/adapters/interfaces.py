"""Which of this computer's addresses other machines can reach: the pure choice, and the reading of the interfaces.

A virtual adapter (Docker, Hyper-V, WSL, VirtualBox, VMware) has an address that looks like a LAN's and that nobody else
reaches, and the same one exists on every developer's machine. Announcing it makes others dial into their own adapter
(docs/protocol/links.md §6). VPN addresses are left out of discovery too: who wants them lists them in the setting.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final

import ifaddr

__all__ = [
    "Interface",
    "choose_interfaces",
    "format_addresses",
    "is_virtual",
    "local_addresses",
    "read_interfaces",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One address of one adapter. ``names``: everything the platform calls it; ``address``: without a scope."""

    names: tuple[str, ...]
    address: str


# Whole adapters by name, lower case. Linux names are short and exact; Windows and macOS show descriptions.
_VIRTUAL_NAMES: Final = re.compile(
    r"""
    ^(lo\d*|docker\d*|docker_gwbridge|br-[0-9a-f]{12}|veth[0-9a-z]{6,}|virbr\d+(-nic)?|vmnet\d+|vboxnet\d+
      |lxcbr\d+|lxdbr\d+|cni\d+|podman\d+|flannel[.\d]*|cali[0-9a-f]{11}|cilium_\w+|kube-\w+
      |tun\d+|tap\d+|utun\d+|ipsec\d+|ppp\d+|wg\d+|wg-.+|zt[0-9a-z]{8,}|feth\d+|tailscale\d*|nordlynx
      |awdl\d+|llw\d+|anpi\d+|gif\d+|stf\d+|bridge1\d\d|vnic\d+|p2p\d+|ap1)$
    | vethernet | hyper-v | \bwsl\b | virtualbox | host-only | vmware | docker | npcap | loopback
    | tailscale | zerotier | wireguard | wintun | openvpn | tap-windows | tap-nordvpn | nordlynx | mullvad
    | anyconnect | fortinet | fortissl | globalprotect | pangp | pulse\ secure | checkpoint | sonicwall
    | bluetooth | wi-fi\ direct | teredo | isatap | 6to4 | pseudo-interface | parallels | multipass
    """,
    re.VERBOSE,
)

# Addresses that are never a LAN's, whatever the adapter is called.
_VIRTUAL_NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: an adapter that got no address
        "100.64.0.0/10",  # carrier-grade NAT: Tailscale
        "172.17.0.0/16",  # Docker's first bridge
        "192.168.56.0/24",  # VirtualBox host-only
        "192.168.65.0/24",  # Docker Desktop
        "::1/128",
        "fe80::/10",  # needs a scope that means nothing elsewhere
        "fd7a:115c:a1e0::/48",  # Tailscale
    )
)


def is_virtual(interface: Interface) -> bool:
    """Whether others would not reach this address, judged by the adapter's names and the address."""
    if any(_VIRTUAL_NAMES.search(name.lower()) for name in interface.names):
        return True
    address = ipaddress.ip_address(interface.address)
    return any(address.version == network.version and address in network for network in _VIRTUAL_NETWORKS)


def choose_interfaces(found: Iterable[Interface], wanted: Sequence[str] = ()) -> tuple[Interface, ...]:
    """The interfaces to announce, IPv4 before IPv6, each address once.

    Args:
        found: what the computer has.
        wanted: the setting ``discovery.interfaces``: names, addresses or networks such as ``10.0.0.0/8``. Given, it
            alone decides, also for virtual adapters.
    """
    chosen = [one for one in found if (_is_wanted(one, wanted) if wanted else not is_virtual(one))]
    unique = {one.address: one for one in reversed(chosen)}
    return tuple(sorted(unique.values(), key=lambda one: (":" in one.address, one.names, one.address)))


def format_addresses(chosen: Iterable[Interface], port: int) -> tuple[str, ...]:
    """``host:port`` for each, with brackets for IPv6."""
    return tuple(f"[{one.address}]:{port}" if ":" in one.address else f"{one.address}:{port}" for one in chosen)


def read_interfaces() -> tuple[Interface, ...]:
    """What the operating system says at this moment.

    Raises:
        OSError: it cannot say.
    """
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            names = tuple(dict.fromkeys(name for name in (str(adapter.name), adapter.nice_name, ip.nice_name) if name))
            found.append(Interface(names=names, address=address.partition("%")[0]))
    return tuple(found)


def local_addresses(port: int, wanted: Sequence[str] = (), *, listen_host: str = "") -> tuple[str, ...]:
    """Where others may reach this computer, ``host:port``, for heartbeats.

    Args:
        wanted: the setting ``discovery.interfaces``.
        listen_host: where the node listens; one address, and that alone is where it can be reached.

    Raises:
        OSError: the operating system does not say.
    """
    if listen_host not in ("", "0.0.0.0", "::"):  # noqa: S104 - a comparison, nothing is bound
        return (f"[{listen_host}]:{port}" if ":" in listen_host else f"{listen_host}:{port}",)
    return format_addresses(choose_interfaces(read_interfaces(), wanted), port)


def _is_wanted(interface: Interface, wanted: Sequence[str]) -> bool:
    names = {name.lower() for name in interface.names}
    return any(item.lower() in names or _covers(item, interface.address) for item in wanted)


def _covers(item: str, address: str) -> bool:
    try:
        network = ipaddress.ip_network(item, strict=False)
    except ValueError:
        return False
    return ipaddress.ip_address(address) in network
