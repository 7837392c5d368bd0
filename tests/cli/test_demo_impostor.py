"""The stranger of the demonstration tells a refusal from being let in, and from anything else."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from roosync_p2p.cli.demo_impostor import refusal_of_stranger
from tests.helpers.certificates import Member, TestFleet
from tests.helpers.sockets import closed_port


@contextmanager
def door(member: Member, *, verifies: bool) -> Iterator[int]:
    """One TLS server that answers one visitor; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(member.identity.chain, member.identity.key)
    context.load_verify_locations(member.identity.root)
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10.0)

        def serve() -> None:
            tcp, _ = listener.accept()
            with tcp, suppress(OSError), context.wrap_socket(tcp, server_side=True) as tls:
                tls.sendall(b"welcome")

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10.0)


def test_a_node_that_asks_for_its_own_fleet_refuses(tmp_path: Path) -> None:
    stranger = TestFleet(tmp_path, "other").member("machine-c")
    with door(TestFleet(tmp_path, "ours").member("machine-a"), verifies=True) as port:
        assert refusal_of_stranger(stranger.identity.chain.parent, "127.0.0.1", port) == "unknown_ca"


def test_a_node_that_lets_anybody_in_is_found_out(tmp_path: Path) -> None:
    stranger = TestFleet(tmp_path, "other").member("machine-c")
    with door(TestFleet(tmp_path, "ours").member("machine-a"), verifies=False) as port:
        assert refusal_of_stranger(stranger.identity.chain.parent, "127.0.0.1", port) is None


def test_nobody_there_is_no_refusal(tmp_path: Path) -> None:
    stranger = TestFleet(tmp_path, "other").member("machine-c")
    with pytest.raises(ConnectionRefusedError):
        refusal_of_stranger(stranger.identity.chain.parent, "127.0.0.1", closed_port())
