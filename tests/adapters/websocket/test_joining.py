"""The joining path: strangers, few at a time, and only while somebody is expected."""

from __future__ import annotations

import anyio
import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.websocket import JoinConnection, connect_join
from roosync_p2p.adapters.websocket.dialer import DialError, dial
from roosync_p2p.adapters.websocket.opening import JOIN_PATH
from roosync_p2p.adapters.websocket.tls import load_contexts
from roosync_p2p.clock import Now
from roosync_p2p.core.ports import HandshakeRefused, LinkOpened
from roosync_p2p.errors import MalformedError, NetworkError
from tests.adapters.websocket.nodes import Node
from tests.helpers.certificates import TestFleet
from tests.helpers.sockets import closed_port, silent_listener

pytestmark = pytest.mark.anyio

_NOW = Now(monotonic_s=0, wall_ms=0)


async def echo(connection: JoinConnection) -> None:
    """An issuer that repeats one message and says what it knows of the session."""
    message = await connection.receive()
    await connection.send(message + connection.local_leaf_der)
    await connection.aclose("that was all")


async def test_a_joiner_talks_to_the_issuer_and_sees_the_leaf_of_this_session(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=echo, join_open=lambda: True)
        connection = await connect_join(await issuer.listen())
        assert connection.peer_leaf_der == issuer.member.leaf_der
        assert connection.local_leaf_der == b""
        assert connection.remote == issuer.address
        await connection.send(b"hello")
        assert await connection.receive() == b"hello" + issuer.member.leaf_der
        with pytest.raises(NetworkError, match="that was all") as caught:
            await connection.receive()
        assert caught.value.code == "join_ended"
        await connection.aclose()
        assert not issuer.all(LinkOpened)
        tasks.cancel_scope.cancel()


async def test_the_path_is_closed_when_nobody_is_expected(fleet: TestFleet) -> None:
    is_open = [False]
    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=echo, join_open=lambda: is_open[0])
        address = await issuer.listen()
        with pytest.raises(NetworkError, match="no invite is outstanding") as caught:
            await connect_join(address)
        assert caught.value.code == "join_refused"
        is_open[0] = True
        await (await connect_join(address)).aclose()
        assert issuer.transport.counters.joins_refused == 1
        tasks.cancel_scope.cancel()


async def test_a_node_that_issues_nothing_has_no_joining_path(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks, join_open=lambda: True)
        with pytest.raises(NetworkError) as caught:
            await connect_join(await node.listen())
        assert caught.value.code == "join_refused"
        assert "no invite" in (await node.next(HandshakeRefused)).reason
        tasks.cancel_scope.cancel()


async def test_attempts_of_one_address_are_limited(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=echo, join_open=lambda: True, now=lambda: _NOW)
        address = await issuer.listen()
        for _ in range(limits.JOIN_ATTEMPTS_PER_MINUTE_MAX):
            await (await connect_join(address)).aclose()
        with pytest.raises(NetworkError, match="attempts in a minute"):
            await connect_join(address)
        tasks.cancel_scope.cancel()


async def test_a_message_too_long_is_not_sent_and_not_taken(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=echo, join_open=lambda: True)
        connection = await connect_join(await issuer.listen())
        with pytest.raises(MalformedError):
            await connection.send(bytes(limits.JOIN_MESSAGE_BYTES_MAX + 1))
        await connection._stream.send([bytes(limits.JOIN_MESSAGE_BYTES_MAX + 1)])
        with pytest.raises(NetworkError, match="exceeds limit"):
            await connection.receive()
        await connection.aclose()
        assert "frame too large" in (await issuer.next(HandshakeRefused)).reason
        tasks.cancel_scope.cancel()


async def test_who_shows_a_certificate_gets_no_joining_path(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        issuer = Node(fleet.member("issuer"), tasks, handle_join=echo, join_open=lambda: True)
        context = load_contexts(fleet.member("member").identity).client
        with pytest.raises(DialError, match="403"):
            await dial(await issuer.listen(), context, JOIN_PATH)
        tasks.cancel_scope.cancel()


async def test_what_does_not_answer_is_told_from_what_refuses() -> None:
    with pytest.raises(NetworkError) as caught:
        await connect_join(f"127.0.0.1:{closed_port()}")
    assert caught.value.code == "join_refused"
    with silent_listener() as address, pytest.raises(NetworkError) as caught:
        await connect_join(address)
    assert caught.value.code == "join_unanswered"
    assert caught.value.details["outcome"] == "silent"
