"""Links: what a peer may not send, what a node survives, and what it counts."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from websockets.frames import Frame, Opcode

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.dialer import Dialled, dial
from roosync_p2p.adapters.websocket.frame_stream import CLOSE_REASON_BYTES_MAX, close_reason
from roosync_p2p.adapters.websocket.opening import LINK_PATH
from roosync_p2p.adapters.websocket.tls import load_contexts
from roosync_p2p.core.ports import DialId, FrameArrived, HandshakeRefused, LinkClosed, LinkId, LinkOpened
from roosync_p2p.errors import NetworkError
from tests.adapters.websocket.nodes import Node
from tests.helpers.certificates import TestFleet

pytestmark = pytest.mark.anyio


async def raw_link(fleet: TestFleet, address: str) -> Dialled:
    """A member's open websocket, to send what no transport of ours sends."""
    return await dial(address, load_contexts(fleet.member("rude").identity).client, LINK_PATH)


@pytest.mark.parametrize(
    ("frames", "reason", "counter"),
    [
        ([Frame(Opcode.TEXT, b"hello")], "text frame", "frames_text"),
        ([Frame(Opcode.BINARY, b"a", fin=False)], "fragmented message", "protocol_violations"),
        ([Frame(Opcode.BINARY, bytes(limits.FRAME_BYTES_MAX + 1))], "frame too large", "frames_oversize"),
        ([Frame(Opcode.CONT, b"a")], "malformed frame", "protocol_violations"),
    ],
)
async def test_a_frame_that_breaks_the_protocol_closes_the_link_and_is_counted(
    fleet: TestFleet, frames: list[Frame], reason: str, counter: str
) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks)
        dialled = await raw_link(fleet, await node.listen())
        protocol: Any = dialled.stream._protocol
        for frame in frames:
            protocol.send_frame(frame)
        await dialled.stream._flush()
        closed = await node.next(LinkClosed)
        assert closed.reason.startswith(reason)
        assert getattr(node.transport.counters, counter) == 1
        assert node.transport.counters.protocol_violations == 1
        assert not node.all(FrameArrived)
        await dialled.stream.aclose()
        tasks.cancel_scope.cancel()


async def test_a_ping_is_answered(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks)
        dialled = await raw_link(fleet, await node.listen())
        protocol: Any = dialled.stream._protocol
        protocol.send_ping(b"are you there")
        await dialled.stream._flush()
        protocol.receive_data(await dialled.stream._tls.receive())
        (pong,) = protocol.events_received()
        assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"are you there")
        await dialled.stream.aclose()
        tasks.cancel_scope.cancel()


async def test_a_flood_of_silent_strangers_does_not_keep_a_member_out(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node, member = Node(fleet.member("node"), tasks), Node(fleet.member("member"), tasks)
        address = await node.listen()
        with ExitStack() as flood:
            for _ in range(limits.INBOUND_HANDSHAKES_MAX + 20):
                flood.enter_context(socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))))
            with anyio.fail_after(limits.HANDSHAKE_TIMEOUT_S - 1):
                await member.link_to(node)
            assert node.transport.counters.handshakes_evicted >= 20
            refused = node.all(HandshakeRefused)
            assert 0 < len(refused) <= limits.REFUSALS_SHOWN_PER_MINUTE_MAX
            tasks.cancel_scope.cancel()


async def test_one_noisy_peer_is_slowed_and_the_others_are_not(fleet: TestFleet) -> None:
    """Named bug 22: one half-connected node floods the others."""
    noisy_may_go_on = anyio.Event()
    slowed: set[LinkId] = set()

    async def throttle(link: LinkId) -> None:
        if link in slowed:
            await noisy_may_go_on.wait()

    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks, throttle=throttle)
        noisy, quiet = Node(fleet.member("noisy"), tasks), Node(fleet.member("quiet"), tasks)
        await node.listen()
        noisy_link, noisy_number = await noisy.link_to(node)
        slowed.add(noisy_number)
        quiet_link, quiet_number = await quiet.link_to(node)
        for _ in range(200):
            noisy.transport.send(noisy_link, bytes(100_000), droppable=True)
        quiet.transport.send(quiet_link, b"heartbeat", droppable=True)
        await node.until(lambda: FrameArrived(link=quiet_number, data=b"heartbeat") in node.events)
        await node.until(lambda: any(event.link == noisy_number for event in node.all(FrameArrived)))
        assert sum(event.link == noisy_number for event in node.all(FrameArrived)) == 1
        assert noisy.transport.counters.frames_dropped > 0
        tasks.cancel_scope.cancel()


async def test_a_new_identity_is_shown_in_later_handshakes(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node, peer = Node(fleet.member("node"), tasks), Node(fleet.member("peer"), tasks)
        await node.listen()
        await peer.link_to(node)
        renewed = fleet.member("node")
        node.transport.update_identity(renewed.identity)
        await peer.link_to(node)
        await peer.until(lambda: len(peer.all(LinkOpened)) == 2)
        assert [opened.peer_leaf for opened in peer.all(LinkOpened)] == [node.member.leaf_der, renewed.leaf_der]
        tasks.cancel_scope.cancel()


async def test_a_taken_port_is_an_error_that_names_the_remedy(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        first, second = Node(fleet.member("first"), tasks), Node(fleet.member("second"), tasks)
        address = await first.listen()
        port = int(address.rpartition(":")[2])
        with pytest.raises(NetworkError) as caught:
            await second.transport.serve("127.0.0.1", port)
        assert caught.value.code == "port_taken"
        assert str(port) in caught.value.remedy
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("host", "code"), [("203.0.113.9", "address_not_local"), ("not an address", "bad_listen_address")]
)
async def test_an_address_that_is_not_ours_is_an_error(fleet: TestFleet, host: str, code: str) -> None:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(NetworkError) as caught:
            await Node(fleet.member("node"), tasks).transport.serve(host, 0)
        assert caught.value.code == code


async def test_listening_everywhere_takes_both_address_families(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node, peer = Node(fleet.member("node"), tasks), Node(fleet.member("peer"), tasks)
        port = (await node.listen("0.0.0.0")).rpartition(":")[2]
        hosts = ["127.0.0.1", "[::1]"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
        for number, host in enumerate(hosts):
            peer.transport.dial(DialId(number), f"{host}:{port}")
            await peer.until(lambda count=number + 1: len(peer.all(LinkOpened)) == count)  # type: ignore[misc]  # default
        assert node.all(LinkOpened)[0].remote.startswith("127.0.0.1:")
        tasks.cancel_scope.cancel()


async def test_a_shutdown_tells_every_peer_the_reason(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node, peer = Node(fleet.member("node"), tasks), Node(fleet.member("peer"), tasks)
        await node.listen()
        await peer.link_to(node)
        await node.transport.close_all("leaving")
        closed = await peer.next(LinkClosed)
        assert (closed.reason, closed.abrupt) == ("leaving", False)
        await node.transport.close_all("nothing to close")
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("reason", ["", "short", "é" * 100, "x" * 200, "🦘" * 40])
def test_a_reason_is_cut_at_a_character(reason: str) -> None:
    cut = close_reason(reason)
    assert len(cut.encode()) <= CLOSE_REASON_BYTES_MAX
    assert reason.startswith(cut)
