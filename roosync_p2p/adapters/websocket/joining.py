"""The joining path: messages with a stranger over TLS, before there is any trust (docs/protocol/links.md §5).

This carries bytes. That the leaf of the TLS session is the certificate in the issuer's hello, and everything else that
makes a joiner believe an issuer, is checked by the joining protocol, which gets both leaves from here.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.websocket.dialer import DialError, dial, host_of, probe
from roosync_p2p.adapters.websocket.frame_stream import CloseCode, FrameStream, StreamEnded
from roosync_p2p.adapters.websocket.opening import JOIN_PATH
from roosync_p2p.adapters.websocket.tls import joiner_context
from roosync_p2p.core.ports import DialOutcome
from roosync_p2p.errors import MalformedError, NetworkError

__all__ = ["JoinConnection", "JoinHandler", "connect_join"]


class JoinConnection:
    """A conversation on the joining path. The caller closes it.

    Attributes:
        remote: host:port of the other end.
        local: host:port of this end; empty at the issuer.
        local_leaf_der: our certificate in this TLS session; empty at the joiner, who shows none.
        peer_leaf_der: the issuer's certificate in this TLS session, unverified; empty at the issuer.
    """

    def __init__(
        self,
        stream: FrameStream,
        *,
        remote: str,
        local: str = "",
        local_leaf_der: bytes,
        peer_leaf_der: bytes,
        member_context: ssl.SSLContext | None = None,
    ) -> None:
        self._stream: Final = stream
        self._member_context = member_context  # what an issuer dials back with
        self.remote: Final = remote
        self.local: Final = local
        self.local_leaf_der: Final = local_leaf_der
        self.peer_leaf_der: Final = peer_leaf_der

    async def receive(self) -> bytes:
        """The next message, at most ``limits.JOIN_MESSAGE_BYTES_MAX``.

        Raises:
            NetworkError: the other side ended the conversation (``join_ended``), with its reason.
        """
        try:
            return await self._stream.receive()
        except StreamEnded as ended:
            raise NetworkError(f"{self.remote} ended the conversation: {ended.reason}", code="join_ended") from ended

    async def send(self, message: bytes) -> None:
        """Sends a message.

        Raises:
            MalformedError: it is longer than ``limits.JOIN_MESSAGE_BYTES_MAX``; nothing was sent.
            NetworkError: the connection is gone (``join_ended``).
        """
        if len(message) > limits.JOIN_MESSAGE_BYTES_MAX:
            raise MalformedError(f"a joining message has at most {limits.JOIN_MESSAGE_BYTES_MAX} bytes")
        try:
            await self._stream.send([message])
        except StreamEnded as ended:
            raise NetworkError(f"{self.remote} is gone: {ended.reason}", code="join_ended") from ended

    async def dial_back(self, port: int, *, leaf: bytes) -> DialOutcome | None:
        """Issuer: whether the joiner can be reached at a port, None if it can. Once a conversation.

        A joiner chooses the port and nothing else: what is dialled is the address that this conversation comes from,
        so nobody can have a third party dialled.

        Args:
            leaf: DER of the certificate that must be shown there.
        """
        context, self._member_context = self._member_context, None
        assert context is not None, "an issuer dials back, once"
        try:
            with anyio.fail_after(limits.DIAL_BACK_S):
                await probe(f"{self.remote.rpartition(':')[0]}:{port}", context, leaf=leaf)
        except DialError as error:
            return error.outcome
        except TimeoutError:
            return DialOutcome.UNANSWERED
        return None

    @property
    def on_one_computer(self) -> bool:
        """Whether both ends have one address."""
        return host_of(self.local) == host_of(self.remote)

    async def aclose(self, reason: str = "") -> None:
        """Ends the conversation with a reason; bounded, safe to call again."""
        with anyio.move_on_after(limits.LINK_CLOSE_TIMEOUT_S):
            try:
                await self._stream.send_close(CloseCode.NORMAL, reason)
                while True:
                    await self._stream.receive()
            except StreamEnded:
                pass  # the end is what was wanted, whoever brought it about
        await self._stream.aclose()


JoinHandler = Callable[[JoinConnection], Awaitable[None]]


async def connect_join(address: str, timeout_s: float = limits.HANDSHAKE_TIMEOUT_S) -> JoinConnection:
    """Asks an issuer for a joining conversation, showing no certificate and believing none.

    Raises:
        NetworkError: no conversation (``join_refused``, ``join_unanswered``), with the issuer's reason if it gave one;
            ``details["outcome"]`` is a :class:`~roosync_p2p.core.ports.DialOutcome` value.
    """
    try:
        dialled = await dial(address, joiner_context(), JOIN_PATH, timeout_s=timeout_s)
    except DialError as error:
        refused = error.outcome.value in ("refused", "rejected")
        raise NetworkError(
            f"{address} did not open the joining path: {error.detail}",
            code="join_refused" if refused else "join_unanswered",
            details={"address": address, "outcome": error.outcome.value},
        ) from error
    return JoinConnection(
        dialled.stream,
        remote=dialled.remote,
        local=dialled.local,
        local_leaf_der=b"",
        peer_leaf_der=dialled.peer_leaf,
    )
