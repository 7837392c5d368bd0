"""Who gets in and who does not, and what both sides are told."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable

import anyio
import anyio.abc
import pytest
from anyio.streams.tls import TLSStream

from roosync_p2p.adapters.websocket.dialer import DialError, dial
from roosync_p2p.adapters.websocket.opening import LINK_PATH
from roosync_p2p.adapters.websocket.tls import TlsIdentity, joiner_context, load_contexts
from roosync_p2p.core.ports import DialFailed, DialId, DialOutcome, HandshakeRefused, LinkOpened
from roosync_p2p.errors import EnvironmentFault
from tests.adapters.websocket.nodes import Node
from tests.helpers.certificates import TestFleet

pytestmark = pytest.mark.anyio


async def test_an_expired_certificate_is_named_on_both_sides(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node, late = Node(fleet.member("node"), tasks), Node(fleet.member("late", expired=True), tasks)
        late.transport.dial(DialId(1), await node.listen())
        failed, refused = await late.next(DialFailed), await node.next(HandshakeRefused)
        assert failed.outcome is DialOutcome.REJECTED
        assert "our certificate has expired" in failed.detail
        assert "expired" in refused.reason
        assert node.transport.counters.handshakes_refused == 1
        tasks.cancel_scope.cancel()


async def test_the_server_of_another_fleet_is_not_linked(fleet: TestFleet, other_fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node, foreign = Node(fleet.member("node"), tasks), Node(other_fleet.member("foreign"), tasks)
        foreign.transport.dial(DialId(1), await node.listen())
        failed, refused = await foreign.next(DialFailed), await node.next(HandshakeRefused)
        assert failed.outcome is DialOutcome.REJECTED
        assert "not of this fleet" in failed.detail
        assert "our certificate is not of its fleet" in refused.reason
        assert not node.all(LinkOpened)
        tasks.cancel_scope.cancel()


async def test_a_link_without_a_certificate_is_refused_in_words(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks)
        with pytest.raises(DialError, match="needs a machine certificate") as caught:
            await dial(await node.listen(), joiner_context(), LINK_PATH)
        assert caught.value.outcome is DialOutcome.REJECTED
        assert "needs a machine certificate" in (await node.next(HandshakeRefused)).reason
        tasks.cancel_scope.cancel()


async def test_tls_below_1_3_is_refused(fleet: TestFleet) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(DialError, match=r"TLS 1\.3 is required"):
            await dial(await node.listen(), old, LINK_PATH)
        assert "TLS 1.3" in (await node.next(HandshakeRefused)).reason
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "words",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 64, b"\x16\x03\x01\x00\x05hello", b"\xff" * 100_000],
    ids=["http", "zeros", "broken hello", "noise"],
)
async def test_what_is_not_tls_is_refused_and_counted(fleet: TestFleet, words: bytes) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks)
        host, port = (await node.listen()).split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(words)
            refused = await node.next(HandshakeRefused)
        assert refused.reason
        assert node.transport.counters.handshakes_refused == 1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("words", [b"hello\r\n\r\n", b"POST /link HTTP/1.1\r\n\r\n", b"x" * 200_000])
async def test_a_member_that_speaks_no_websocket_is_refused(fleet: TestFleet, words: bytes) -> None:
    async with anyio.create_task_group() as tasks:
        node = Node(fleet.member("node"), tasks)
        host, port = (await node.listen()).split(":")
        context = load_contexts(fleet.member("member").identity).client
        tcp = await anyio.connect_tcp(host, int(port))
        stream = await TLSStream.wrap(tcp, server_side=False, ssl_context=context, standard_compatible=False)
        await stream.send(words)
        assert (await node.next(HandshakeRefused)).reason
        await stream.aclose()
        tasks.cancel_scope.cancel()


Talk = Callable[[anyio.abc.SocketStream], Awaitable[None]]


async def _dial_a_server_that(talks: Talk, fleet: TestFleet, timeout_s: float = 5.0) -> DialError:
    """Dials a server that accepts TCP and then does as the test likes."""
    async with anyio.create_task_group() as tasks:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

        async def serve(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await talks(stream)

        tasks.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        context = load_contexts(fleet.member("node").identity).client
        with pytest.raises(DialError) as caught:
            await dial(f"127.0.0.1:{port}", context, LINK_PATH, timeout_s=timeout_s)
        tasks.cancel_scope.cancel()
    await listener.aclose()
    return caught.value


async def test_a_handshake_that_began_and_is_slow_is_not_silent(fleet: TestFleet) -> None:
    async def one_byte(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"\x16")
        await anyio.sleep_forever()

    error = await _dial_a_server_that(one_byte, fleet, timeout_s=1.2)
    assert error.outcome is DialOutcome.UNANSWERED


async def test_a_server_that_hangs_up_has_rejected(fleet: TestFleet) -> None:
    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        await stream.aclose()

    assert (await _dial_a_server_that(hang_up, fleet)).outcome is DialOutcome.REJECTED


async def test_a_server_that_speaks_something_else_has_rejected(fleet: TestFleet) -> None:
    async def speak_http(stream: anyio.abc.SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    error = await _dial_a_server_that(speak_http, fleet)
    assert error.outcome is DialOutcome.REJECTED
    assert "TLS" in error.detail


async def test_a_malformed_address_is_unanswered_with_a_reason(fleet: TestFleet) -> None:
    with pytest.raises(DialError, match="not host:port") as caught:
        await dial("nonsense", load_contexts(fleet.member("node").identity).client, LINK_PATH)
    assert caught.value.outcome is DialOutcome.UNANSWERED


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
async def test_refused_means_refused_on_every_address_of_the_name(fleet: TestFleet) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(DialError) as caught:
        await dial(f"localhost:{port}", load_contexts(fleet.member("node").identity).client, LINK_PATH)
    assert caught.value.outcome is DialOutcome.REFUSED


def test_a_key_of_another_certificate_is_named(fleet: TestFleet) -> None:
    one, other = fleet.member("one").identity, fleet.member("other").identity
    with pytest.raises(EnvironmentFault) as caught:
        load_contexts(TlsIdentity(chain=one.chain, key=other.key, root=one.root))
    assert caught.value.code == "identity_mismatch"


@pytest.mark.parametrize("part", ["chain", "key", "root"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_identity_is_an_error_with_a_remedy(fleet: TestFleet, part: str, content: bytes | None) -> None:
    identity = fleet.member("node").identity
    path = getattr(identity, part)
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(EnvironmentFault) as caught:
        load_contexts(identity)
    assert caught.value.code == "identity_unreadable"
    assert caught.value.remedy


def test_an_encrypted_key_does_not_ask_on_the_terminal(fleet: TestFleet) -> None:
    member = fleet.member("node")
    member.identity.key.write_bytes(member.key.to_pem(b"passphrase"))
    with pytest.raises(EnvironmentFault, match="passphrase"):
        load_contexts(member.identity)
