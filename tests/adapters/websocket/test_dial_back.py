"""The issuer dials back: what it finds is told apart, nobody else is dialled, and strangers find an empty room."""

from __future__ import annotations

import contextlib

import anyio
import anyio.abc
import pytest

from roosync_p2p.adapters.websocket import JoinConnection, connect_join
from roosync_p2p.adapters.websocket.dial_back import open_to_dial_back
from roosync_p2p.adapters.websocket.dialer import host_of, probe
from roosync_p2p.adapters.websocket.tls import joiner_context, load_contexts
from roosync_p2p.core.ports import DialOutcome
from roosync_p2p.errors import NetworkError
from tests.adapters.websocket.nodes import Node
from tests.helpers.certificates import TestFleet
from tests.helpers.sockets import closed_port, silent_listener

pytestmark = pytest.mark.anyio


async def _told(fleet: TestFleet, port: int, leaf: bytes) -> DialOutcome | None:
    """What an issuer finds at a port of the address that a joiner comes from."""
    found: list[DialOutcome | None] = []

    async def dial_back(connection: JoinConnection) -> None:
        found.append(await connection.dial_back(port, leaf=leaf))

    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=dial_back, join_open=lambda: True)
        connection = await connect_join(await issuer.listen())
        with pytest.raises(NetworkError):
            await connection.receive()  # nothing is said here; it ends when the issuer is done
        await connection.aclose()
        tasks.cancel_scope.cancel()
    return found[0]


async def _said(stream: anyio.abc.ByteStream) -> bytes:
    """Everything until the other side hangs up."""
    said = b""
    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            said += await stream.receive()
    return said


async def test_a_joiner_that_listens_is_reached_and_recognised(fleet: TestFleet) -> None:
    joiner, port = fleet.member("joiner"), closed_port()
    async with open_to_dial_back("127.0.0.1", port, joiner.identity):
        assert await _told(fleet, port, joiner.leaf_der) is None


async def test_another_machine_of_the_fleet_at_that_port_is_not_the_joiner(fleet: TestFleet) -> None:
    joiner, other, port = fleet.member("joiner"), fleet.member("other"), closed_port()
    async with open_to_dial_back("127.0.0.1", port, other.identity):
        assert await _told(fleet, port, joiner.leaf_der) is DialOutcome.REJECTED


async def test_a_stranger_at_that_port_is_not_the_joiner(fleet: TestFleet, other_fleet: TestFleet) -> None:
    joiner, port = fleet.member("joiner"), closed_port()
    async with open_to_dial_back("127.0.0.1", port, other_fleet.member("joiner").identity):
        assert await _told(fleet, port, joiner.leaf_der) is DialOutcome.REJECTED


async def test_refused_and_silent_are_told_apart(fleet: TestFleet) -> None:
    leaf = fleet.member("joiner").leaf_der
    assert await _told(fleet, closed_port(), leaf) is DialOutcome.REFUSED
    with silent_listener() as address:
        assert await _told(fleet, int(address.rpartition(":")[2]), leaf) is DialOutcome.SILENT


async def test_a_conversation_is_dialled_back_once(fleet: TestFleet) -> None:
    outcomes: list[str] = []

    async def dial_twice(connection: JoinConnection) -> None:
        await connection.dial_back(closed_port(), leaf=b"")
        with pytest.raises(AssertionError):
            await connection.dial_back(closed_port(), leaf=b"")
        outcomes.append("once")

    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=dial_twice, join_open=lambda: True)
        connection = await connect_join(await issuer.listen())
        with pytest.raises(NetworkError):
            await connection.receive()
        await connection.aclose()
        tasks.cancel_scope.cancel()
    assert outcomes == ["once"]


async def test_whoever_else_comes_is_shown_out_and_the_issuer_still_gets_in(fleet: TestFleet) -> None:
    joiner, port = fleet.member("joiner"), closed_port()
    address = f"127.0.0.1:{port}"
    async with (
        open_to_dial_back("127.0.0.1", port, joiner.identity),
        await anyio.connect_tcp("127.0.0.1", port),  # says nothing
        await anyio.connect_tcp("127.0.0.1", port) as rude,
    ):
        await rude.send(b"GET / HTTP/1.1\r\n\r\n")
        with anyio.fail_after(5):
            assert b"HTTP" not in await _said(rude)
        await probe(address, joiner_context(), leaf=joiner.leaf_der)
        await probe(address, load_contexts(fleet.member("issuer").identity).client, leaf=joiner.leaf_der)
    with pytest.raises(OSError, match="connection"):
        await anyio.connect_tcp("127.0.0.1", port)


async def test_a_guest_gets_tls_and_nothing_else(fleet: TestFleet) -> None:
    joiner, port = fleet.member("joiner"), closed_port()
    async with open_to_dial_back("127.0.0.1", port, joiner.identity):
        with pytest.raises(NetworkError) as caught:
            await connect_join(f"127.0.0.1:{port}")
        assert caught.value.details["outcome"] == "rejected"


async def test_a_port_that_is_taken_is_an_error_that_names_it(fleet: TestFleet) -> None:
    joiner = fleet.member("joiner")
    with silent_listener() as address:
        with pytest.raises(NetworkError) as caught:
            async with open_to_dial_back("127.0.0.1", int(address.rpartition(":")[2]), joiner.identity):
                raise AssertionError("it does not listen")
        assert caught.value.code == "port_taken"


@pytest.mark.parametrize(
    ("name", "host"),
    [("192.0.2.7:1", "192.0.2.7"), ("[2001:db8::7]:1", "2001:db8::7"), ("[fe80::1%eth0]:1", "fe80::1"), ("", "")],
)
def test_the_host_of_an_end_is_comparable(name: str, host: str) -> None:
    assert host_of(name) == host


async def test_both_ends_on_one_computer_are_recognised(fleet: TestFleet) -> None:
    async def wait(connection: JoinConnection) -> None:
        with pytest.raises(NetworkError):
            await connection.receive()

    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=wait, join_open=lambda: True)
        connection = await connect_join(await issuer.listen())
        assert connection.on_one_computer
        await connection.aclose()
        tasks.cancel_scope.cancel()
