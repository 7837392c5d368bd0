"""A POST to a program on this computer, without redirects, proxies or names to look up."""

from __future__ import annotations

import ipaddress
from typing import Final

import anyio
import h11
import msgspec

from roosync_p2p import limits
from roosync_p2p.adapters.waking.port import wake_fault
from roosync_p2p.core.wake_settings import Webhook
from roosync_p2p.mailbox.wakes import Woken

__all__ = ["WebhookWaker", "content_of"]

_READ_BYTES: Final = 4_096


class WebhookWaker:
    """Asks once; any answer of 200 to 299 is one."""

    def __init__(self, place: Webhook) -> None:
        assert ipaddress.ip_address(place.host).is_loopback, "the settings let nothing else through"
        self._place = place

    async def wake(self, woken: Woken) -> None:
        """See :class:`~roosync_p2p.adapters.waking.port.Waker`."""
        url = f"http://{self._place.host}:{self._place.port}{self._place.target}"
        try:
            with anyio.fail_after(limits.WAKE_WEBHOOK_S):
                status = await self._post(content_of(woken))
        except TimeoutError as error:
            raise wake_fault(f"{url} did not answer within {limits.WAKE_WEBHOOK_S:g} s") from error
        except (OSError, h11.ProtocolError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise wake_fault(f"{url} does not answer: {str(error) or type(error).__name__}") from error
        if not 200 <= status < 300:
            raise wake_fault(f"{url} answered {status}")

    async def _post(self, content: bytes) -> int:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.WAKE_ANSWER_BYTES_MAX)
        host = f"[{self._place.host}]" if ":" in self._place.host else self._place.host
        headers = [
            ("host", f"{host}:{self._place.port}"),
            ("content-type", "application/json"),
            ("content-length", str(len(content))),
            ("connection", "close"),
        ]
        events = (
            h11.Request(method="POST", target=self._place.target, headers=headers),
            h11.Data(data=content),
            h11.EndOfMessage(),
        )
        async with await anyio.connect_tcp(self._place.host, self._place.port) as stream:
            await stream.send(b"".join(connection.send(event) or b"" for event in events))
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Response):
                    return event.status_code
                if event is h11.NEED_DATA:
                    connection.receive_data(await stream.receive(_READ_BYTES))


def content_of(woken: Woken) -> bytes:
    """What is posted: JSON of ids and names."""
    return msgspec.json.encode(
        {
            "wake": woken.wake,
            "workspace": woken.workspace,
            "messages": woken.messages,
            "senders": woken.senders,
            "attempt": woken.attempt,
        }
    )
