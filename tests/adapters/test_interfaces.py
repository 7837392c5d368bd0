"""Virtual adapters are left out of what is announced, on every platform."""

from __future__ import annotations

import pytest

from roosync_p2p.adapters.interfaces import (
    Interface,
    choose_interfaces,
    format_addresses,
    is_virtual,
    local_addresses,
    read_interfaces,
)


def one(name: str, address: str, *more: str) -> Interface:
    return Interface(names=(name, *more), address=address)


VIRTUAL = [
    # Linux
    one("lo", "127.0.0.1"),
    one("docker0", "172.17.0.1"),
    one("docker0", "10.200.0.1"),
    one("br-0123456789ab", "172.19.0.1"),
    one("veth12ab34c", "10.0.0.4"),
    one("virbr0", "192.168.122.1"),
    one("vboxnet0", "192.168.56.1"),
    one("vmnet8", "192.168.140.1"),
    one("tun0", "10.8.0.2"),
    one("wg0", "10.6.0.2"),
    one("wg-office", "10.6.0.2"),
    one("tailscale0", "100.101.102.103"),
    one("ztabcdefgh", "10.147.17.3"),
    one("cni0", "10.42.0.1"),
    # Windows: ifaddr gives a GUID, the device's description and the connection's name
    one(
        "{846EE342-7039-11DE-9D20-806E6F6E6963}", "172.28.160.1", "Hyper-V Virtual Ethernet Adapter", "vEthernet (WSL)"
    ),
    one("{846EE342}", "172.22.48.1", "Hyper-V Virtual Ethernet Adapter #2", "vEthernet (Default Switch)"),
    one("{846EE342}", "192.168.56.1", "VirtualBox Host-Only Ethernet Adapter", "Ethernet 3"),
    one("{846EE342}", "192.168.44.1", "VMware Virtual Ethernet Adapter for VMnet8", "VMware Network Adapter VMnet8"),
    one("{846EE342}", "10.147.17.3", "ZeroTier Virtual Port", "ZeroTier One [abc]"),
    one("{846EE342}", "10.8.0.6", "TAP-Windows Adapter V9", "Connexion au réseau local"),
    one("{846EE342}", "10.5.0.2", "WireGuard Tunnel", "office"),
    one("{846EE342}", "100.80.1.2", "Tailscale Tunnel", "Tailscale"),
    one("{846EE342}", "169.254.3.4", "Intel(R) Ethernet Connection", "Ethernet"),
    one("{846EE342}", "127.0.0.1", "Software Loopback Interface 1", "Loopback Pseudo-Interface 1"),
    one("{846EE342}", "192.168.137.1", "Microsoft Wi-Fi Direct Virtual Adapter", "Local Area Connection* 2"),
    # macOS
    one("lo0", "127.0.0.1"),
    one("utun3", "10.11.0.2"),
    one("bridge100", "192.168.64.1"),
    one("awdl0", "fe80::1"),
    one("feth1234", "10.147.17.9"),
    # by address alone
    one("mystery", "100.99.1.1"),
    one("mystery", "172.17.0.2"),
    one("eth0", "fe80::1234"),
    one("eth0", "fd7a:115c:a1e0::1"),
]

REAL = [
    one("eth0", "192.168.1.20"),
    one("enp3s0", "10.1.2.3"),
    one("wlp2s0", "192.168.0.7"),
    one("br0", "192.168.1.9"),
    one("bond0", "172.16.5.5"),
    one("eth0", "2001:db8::7"),
    one("eth0", "10.77.12.1"),
    one("en0", "192.168.1.33"),
    one("bridge0", "192.168.2.4"),
    one("{846EE342}", "192.168.1.40", "Intel(R) Wi-Fi 6 AX201 160MHz", "Wi-Fi"),
    one("{846EE342}", "172.20.3.4", "Realtek PCIe GbE Family Controller", "Ethernet"),
]


@pytest.mark.parametrize("interface", VIRTUAL, ids=str)
def test_a_virtual_adapter_is_recognised(interface: Interface) -> None:
    assert is_virtual(interface)


@pytest.mark.parametrize("interface", REAL, ids=str)
def test_a_real_adapter_is_kept(interface: Interface) -> None:
    assert not is_virtual(interface)


def test_addresses_of_virtual_adapters_are_never_announced() -> None:
    assert set(choose_interfaces(VIRTUAL + REAL)) == set(REAL)


def test_ipv4_comes_before_ipv6_and_each_address_once() -> None:
    chosen = choose_interfaces([one("eth0", "2001:db8::7"), one("eth1", "10.0.0.2"), one("eth0", "10.0.0.2")])
    assert [interface.address for interface in chosen] == ["10.0.0.2", "2001:db8::7"]
    assert format_addresses(chosen, 47600) == ("10.0.0.2:47600", "[2001:db8::7]:47600")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["tailscale0"], ["100.101.102.103"]),
        (["192.168.1.20"], ["192.168.1.20"]),
        (["192.168.1.0/24", "lo"], ["127.0.0.1", "192.168.1.20"]),
        (["ETH0"], ["192.168.1.20"]),
        (["nothing"], []),
    ],
)
def test_the_setting_alone_decides_when_it_is_given(wanted: list[str], expected: list[str]) -> None:
    found = [one("eth0", "192.168.1.20"), one("tailscale0", "100.101.102.103"), one("lo", "127.0.0.1")]
    assert sorted(interface.address for interface in choose_interfaces(found, wanted)) == expected


def test_this_computer_has_a_loopback_that_is_announced_only_when_wanted() -> None:
    assert any(interface.address == "127.0.0.1" for interface in read_interfaces())
    assert not any(address.startswith("127.") for address in local_addresses(47600))
    assert local_addresses(47600, ["127.0.0.1"]) == ("127.0.0.1:47600",)


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1:1"), ("2001:db8::5", "[2001:db8::5]:1")])
def test_a_node_that_listens_on_one_address_names_that_one_alone(host: str, address: str) -> None:
    assert local_addresses(1, listen_host=host) == (address,)
    assert local_addresses(1, listen_host="0.0.0.0") == local_addresses(1)
