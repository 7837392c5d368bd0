"""A member of the fleet that is no node: one link, opened with a real key, on which a test says what it likes."""

from __future__ import annotations

import contextlib
import os
import ssl
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from roosync_p2p.adapters.keystore import Identity
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.entries.entry import CHAIN_START, MAIL, Entry, write_entry
from roosync_p2p.entries.incarnations import ChainStart
from roosync_p2p.ids import Chain, EntryId, MachineId
from roosync_p2p.liveness.heartbeat import Health, Heartbeat
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import seal

__all__ = ["Caller", "Chainsmith", "heartbeat_of", "open_link"]


def open_link(address: str, certificate: tuple[Path, Path] | None) -> AbstractContextManager[ClientConnection]:
    """Dials a node, showing a certificate chain and its key, or none; believes whoever answers.

    Raises:
        ssl.SSLError, OSError, websockets.exceptions.InvalidHandshake: the node refused.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return connect(
        f"wss://{address}/link",
        ssl=context,
        subprotocols=[Subprotocol("roosync.v1")],
        compression=None,
        max_size=None,
        open_timeout=20,
        close_timeout=2,
    )


class Caller:
    """One link to a node.

    Raises:
        ssl.SSLError, OSError, websockets.exceptions.InvalidHandshake: the node refused it.
    """

    def __init__(self, identity: Identity, address: str, *, start: int = 1) -> None:
        self.identity = identity
        self.start = start
        self.boot = os.urandom(16)
        self._stack = contextlib.ExitStack()
        link = open_link(address, (identity.chain_path, identity.key_path))
        self._socket = self._stack.enter_context(link)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def greet(self, **changes: Any) -> None:
        """Says hello, as itself but for the changes."""
        fields: dict[str, Any] = {
            "minor": 0,
            "machine": self.identity.machine,
            "start": self.start,
            "boot": self.boot,
            "leaf": self.identity.leaf,
            "issuer": self.identity.issuer,
            "version": "0.0.0",
        }
        self.send(wire.Hello(**{**fields, **changes}))

    def send(self, frame: wire.Frame) -> None:
        """Sends a frame."""
        self._socket.send(wire.encode_frame(frame))

    def send_raw(self, data: bytes | str) -> None:
        """Sends anything: bytes in a binary message, text in a text message."""
        self._socket.send(data)

    def next(self, kind: type[wire.Frame], *, within_s: float = 20.0) -> Any:
        """The next frame of a kind that the node sends."""
        deadline = time.monotonic() + within_s
        while True:
            data = self._socket.recv(timeout=max(0.01, deadline - time.monotonic()))
            assert isinstance(data, bytes)
            frame = wire.decode_frame(data)
            if isinstance(frame, kind):
                return frame

    def closed(self, *, within_s: float = 30.0) -> str:
        """Waits until the node closes the link; the reason it gives."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                self._socket.recv(timeout=max(0.01, deadline - time.monotonic()))
            except ConnectionClosed as ended:
                return ended.rcvd.reason if ended.rcvd is not None else "without a word"


class Chainsmith:
    """Writes a machine's chain outside of any store, as whoever holds its key can.

    Args:
        sequence: of the newest entry that exists, whose id is ``head``.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        chain: Chain = MAIL,
        incarnation: int = 1,
        sequence: int = 0,
        head: EntryId | None = None,
    ) -> None:
        self.identity = identity
        self.chain = chain
        self.incarnation = incarnation
        self.sequence = sequence
        self.head = head

    def begin(self) -> Entry:
        """The first entry, which introduces the machine."""
        start = ChainStart(leaf=self.identity.leaf, issuer=self.identity.issuer, store=os.urandom(16))
        return self.write(CHAIN_START, encode(start))

    def write(self, kind: str, body: bytes, **changes: Any) -> Entry:
        """The next entry, but for the changes."""
        fields: dict[str, Any] = {
            "fleet": self.identity.fleet,
            "author": self.identity.machine,
            "incarnation": self.incarnation,
            "chain": self.chain,
            "sequence": self.sequence + 1,
            "previous": self.head,
            "time_ms": time.time_ns() // 1_000_000,
            "kind": kind,
            "body": body,
        }
        entry = write_entry(self.identity.key, **{**fields, **changes})
        self.sequence, self.head = self.sequence + 1, entry.id
        return entry


def heartbeat_of(identity: Identity, *, start: int, counter: int, age_s: float = 0.0, **changes: Any) -> bytes:
    """A heartbeat signed with a machine's key, so long ago."""
    fields: dict[str, Any] = {
        "machine": MachineId(identity.machine),
        "start": start,
        "boot": os.urandom(16),
        "counter": counter,
        "wall_ms": time.time_ns() // 1_000_000 - round(age_s * 1000),
        "interval_ms": 1000,
        "addresses": (),
        "heads": (),
        "version": "0.0.0",
        "awake_since_ms": time.time_ns() // 1_000_000 - round(age_s * 1000) - 1000,
        "health": Health(loop_lag_ms=0, disk_lag_ms=0, clock_offset_ms=None),
        "state": "up",
    }
    return seal(
        identity.key,
        context=contexts.HEARTBEAT,
        fleet=identity.fleet,
        author=identity.machine,
        payload=encode(Heartbeat(**{**fields, **changes})),
    )
