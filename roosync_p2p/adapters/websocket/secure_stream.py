"""TLS by the standard library over an anyio byte stream.

anyio's own ``TLSStream`` throws away the alert of a failed handshake, so a refused peer sees a closed connection and
never learns why; and it does not show whether anything came at all, which tells *silent* from *slow*. Hence this pump
between ``ssl.MemoryBIO`` and the stream. It encrypts nothing itself.

One task reads and one writes; whatever either of them makes OpenSSL say is sent in the order OpenSSL said it.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

import anyio
import anyio.abc

__all__ = ["SecureStream", "StreamLost"]

_READ_BYTES: Final = 64 * 1024


class StreamLost(Exception):
    """The connection is gone: ended, reset, timed out or no longer decipherable."""


class SecureStream:
    """One TLS session.

    Args:
        tcp: the connected stream; owned from now on.
        context: with which certificates.
        server_side: whether the other side dialled.
    """

    def __init__(self, tcp: anyio.abc.ByteStream, context: ssl.SSLContext, *, server_side: bool) -> None:
        self._tcp: Final = tcp
        self._incoming: Final = ssl.MemoryBIO()
        self._outgoing: Final = ssl.MemoryBIO()
        self._tls: Final = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self._sending: Final = anyio.Lock()

    async def greet(self) -> None:
        """Client side: says hello and waits for the first byte of an answer.

        Raises:
            StreamLost: the other side hung up.
        """
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        await self._flush()
        await self._feed()

    async def handshake(self) -> None:
        """Completes the handshake. After an error the other side has been sent the alert.

        Raises:
            ssl.SSLError: one side refused the other.
            StreamLost: the other side hung up.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError:
                await self._flush_farewell()
                raise
            else:
                return await self._flush()

    async def receive(self) -> bytes:
        """The next bytes.

        Raises:
            StreamLost: nothing more will come.
            ssl.SSLError: the other side sent an alert; a TLS 1.3 client learns here that its certificate was refused.
        """
        while True:
            try:
                data = self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()  # an answer to a key update
                await self._feed()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
                raise StreamLost("closed by the other side") from error
            except ssl.SSLError:
                await self._flush_farewell()
                raise
            else:
                if not data:
                    raise StreamLost("closed by the other side")
                return data

    async def send(self, data: bytes) -> None:
        """Encrypts at once, in the order of the calls, and returns when the operating system has taken everything.

        Raises:
            StreamLost: the connection is gone.
        """
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise StreamLost("the connection can no longer be written") from error
        await self._flush()

    async def finish(self, linger_s: float) -> None:
        """Ends our direction, and reads for a while, so that a reset does not overtake our last words."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush_farewell()
        with anyio.move_on_after(linger_s), contextlib.suppress(StreamLost):
            try:
                await self._tcp.send_eof()
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise StreamLost(str(error)) from error
            while True:
                await self._feed()
                self._incoming.read()

    async def aclose(self) -> None:
        """Cuts the connection; safe at any time."""
        with anyio.CancelScope(shield=True):
            await self._tcp.aclose()

    @property
    def peer_leaf(self) -> bytes | None:
        """DER of the other side's certificate, None if it showed none."""
        return self._tls.getpeercert(binary_form=True)

    async def _feed(self) -> None:
        try:
            self._incoming.write(await self._tcp.receive())
        except anyio.EndOfStream as error:
            raise StreamLost("closed by the other side") from error
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise StreamLost(_cause(error)) from error

    async def _flush(self) -> None:
        async with self._sending:
            if not self._outgoing.pending:
                return
            try:
                await self._tcp.send(self._outgoing.read())
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise StreamLost(_cause(error)) from error

    async def _flush_farewell(self) -> None:
        with contextlib.suppress(StreamLost):
            await self._flush()


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    strerror = getattr(cause, "strerror", None)
    return str(strerror or str(cause) or type(cause).__name__).lower()
