"""Discovery on the LAN: what is announced is parsed with suspicion, and found across a bridge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.adapters.interfaces import Interface
from roosync_p2p.adapters.mdns import MdnsDiscovery, NodeSeen, parse_announcement
from roosync_p2p.ids import FleetId, MachineId
from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
_FLEET = FleetId(bytes(range(32)))
_TXT: dict[bytes, bytes | None] = {b"fleet": _FLEET.hex().encode(), b"machine": b"myia-po-2023", b"port": b"47600"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_an_announcement_names_fleet_machine_and_addresses() -> None:
    seen = parse_announcement(_TXT, 47600, ["192.168.1.7", "2001:db8::1", "192.168.1.7"])
    expected = NodeSeen(
        fleet=_FLEET,
        machine=MachineId("myia-po-2023"),
        addresses=("192.168.1.7:47600", "[2001:db8::1]:47600"),
    )
    assert seen == expected


@pytest.mark.parametrize(
    "changed",
    [{b"fleet": b"abc"}, {b"fleet": None}, {b"machine": b"x"}, {b"machine": b"\xff\xfe\xff"}, {b"machine": b"all"}],
)
def test_an_announcement_that_is_not_ours_is_nothing(changed: dict[bytes, bytes | None]) -> None:
    assert parse_announcement(_TXT | changed, 47600, ["192.168.1.7"]) is None


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.1.1", "fe80::1", "fe80::1%3", "::1", "0.0.0.0", "224.0.0.1", ""]
)
def test_an_address_that_cannot_be_dialled_is_left_out(address: str) -> None:
    assert parse_announcement(_TXT, 47600, [address]) is None


def test_addresses_of_one_machine_are_bounded() -> None:
    seen = parse_announcement(_TXT, 1, [f"10.0.{number}.1" for number in range(100)])
    assert seen is not None
    assert len(seen.addresses) == limits.ADDRESSES_PER_MACHINE_MAX


@given(
    st.dictionaries(st.sampled_from([b"fleet", b"machine", b"port", b"x"]), st.none() | st.binary(max_size=80)),
    st.none() | st.integers(),
    st.lists(st.text(max_size=40), max_size=5),
)
def test_any_announcement_is_parsed_or_nothing(
    properties: dict[bytes, bytes | None], port: int | None, addresses: list[str]
) -> None:
    """A NodeSeen with an address, or None; never an error."""
    seen = parse_announcement(properties, port, addresses)
    assert seen is None or seen.addresses


@pytest.mark.anyio
async def test_a_computer_without_multicast_gets_one_warning_and_goes_on() -> None:
    warnings: list[str] = []
    warned = anyio.Event()

    def fail() -> tuple[Interface, ...]:
        raise OSError("no multicast today")

    def warn(message: str) -> None:
        warnings.append(message)
        warned.set()

    discovery = MdnsDiscovery(
        fleet=_FLEET, machine=MachineId("alone"), port=1, found=lambda _node: None, warned=warn, interfaces=fail
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(discovery.run)
        with anyio.fail_after(5):
            await warned.wait()
        tasks.cancel_scope.cancel()
    assert len(warnings) == 1
    assert "no multicast today" in warnings[0]


_PROGRAM = """
import anyio, json, sys
from roosync_p2p.adapters.mdns import MdnsDiscovery, browse_fleets
from roosync_p2p.ids import FleetId, MachineId

def show(node):
    print(json.dumps([node.machine, node.fleet.hex(), list(node.addresses)]), flush=True)

async def main(machine, fleet):
    if machine == "-":
        for node in await browse_fleets(3.0):
            show(node)
        return
    discovery = MdnsDiscovery(
        fleet=FleetId(bytes.fromhex(fleet)), machine=MachineId(machine), port=47600, found=show,
        warned=lambda words: print(json.dumps(words), flush=True))
    await discovery.run()

anyio.run(main, *sys.argv[1:])
"""


def _start(lab: Lab, number: int, machine: str, fleet: FleetId) -> subprocess.Popen[Any]:
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", _PROGRAM, machine, fleet.hex()]
    return lab.run(number, argv, stdout=subprocess.PIPE, text=True, cwd=root)


def _line(process: subprocess.Popen[Any]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the node ended with {process.wait(5)}"
    return json.loads(line)


@pytest.mark.root
@pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")
def test_two_nodes_find_each_other_across_a_bridge_and_a_newcomer_sees_the_fleets() -> None:
    other_fleet = FleetId(bytes(32))
    with Lab(4) as lab:
        first, second = _start(lab, 0, "first", _FLEET), _start(lab, 1, "second", _FLEET)
        _start(lab, 2, "foreign", other_fleet)
        assert _line(first) == ["second", _FLEET.hex(), [f"{lab.address(1)}:47600"]]
        assert _line(second) == ["first", _FLEET.hex(), [f"{lab.address(0)}:47600"]]
        newcomer = _start(lab, 3, "-", _FLEET)
        out, _errors = newcomer.communicate(timeout=20)
        seen = [json.loads(line) for line in out.splitlines()]
        assert [machine for machine, _fleet, _addresses in seen] == ["foreign", "first", "second"]


@pytest.mark.root
@pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")
def test_an_address_that_appears_later_is_announced() -> None:
    with Lab(2) as lab:
        late = lab.address(0)
        lab.check_output(0, ["ip", "address", "del", f"{late}/24", "dev", "eth0"])
        _start(lab, 0, "late", _FLEET)
        waiting = _start(lab, 1, "waiting", _FLEET)
        lab.check_output(0, ["ip", "address", "add", f"{late}/24", "dev", "eth0"])
        lab.check_output(0, ["ip", "route", "replace", "224.0.0.0/4", "dev", "eth0"])
        assert _line(waiting) == ["late", _FLEET.hex(), [f"{late}:47600"]]
