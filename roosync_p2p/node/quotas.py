"""What may be written into this machine's mail: so much a minute and session, so much in all (messages.md §11).

Kept by the author's own node, before anything is signed. What others wrote is taken whatever its size, because a chain
without one of its entries is none; an author whose mail is larger than it may be is named.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from typing import Final

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.adapters.system import read_now
from roosync_p2p.clock import Now
from roosync_p2p.core.ports import Reader
from roosync_p2p.errors import InputFault, StoreError
from roosync_p2p.ids import MachineId
from roosync_p2p.mailbox.pace import SendingPace
from roosync_p2p.node.performer import Performer

__all__ = ["Quotas"]

_LOG: Final = logging.getLogger(__name__)
_NEARLY: Final = 0.9
_GIB: Final = 1024**3
_REMEDY: Final = "old texts go by themselves, unless the policy retention.archive keeps them; write less meanwhile"
_OTHERS: Final = "nothing is dropped; look at what that machine sends: `roosync inbox --status all --from MACHINE`"


class Quotas:
    """Counts what is sent from here, and measures what is kept."""

    def __init__(
        self,
        performer: Performer,
        reader: Reader,
        *,
        sends_a_minute: int = limits.SENDS_A_MINUTE,
        mail_bytes_max: int = limits.MAIL_BYTES_MAX,
        now: Callable[[], Now] = read_now,
    ) -> None:
        self._performer = performer
        self._reader = reader
        self._pace = SendingPace(sends_a_minute)
        self._mail_bytes_max = mail_bytes_max
        self._now = now
        self._kept: dict[MachineId, int] = {}

    async def run(self) -> None:
        """Measures the mail at the start, and each time after retention has looked."""
        while True:
            try:
                await self.measure()
            except StoreError as fault:
                _LOG.warning("the mail was not measured: %s", fault.message)
            await anyio.sleep(limits.RETENTION_INTERVAL_S)

    async def measure(self) -> None:
        """How much of each author's mail is in the store."""
        await self._performer.flushed()
        self._kept = await anyio.to_thread.run_sync(self._reader.mail_bytes)

    @contextlib.contextmanager
    def sending(self, session: str, text: str, *, files: int = 0) -> Iterator[None]:
        """One more message or amendment; it does not count if the block raises.

        Args:
            files: the bytes of what it brings along.

        Raises:
            InputFault: ``sending_too_fast``, ``mail_quota``; nothing was sent.
        """
        size = len(text.encode()) + limits.MAIL_ENTRY_BYTES_TYPICAL + files
        self._require_room(size)
        wait_s = self._pace.take(session, self._now().monotonic_s)
        if wait_s > 0:
            raise InputFault(
                f"this session has sent {self._pace.per_minute} messages within a minute; nothing was sent",
                code="sending_too_fast",
                remedy=f"try again in {math.ceil(wait_s)} s; [mail] sends_a_minute in settings.toml allows more",
                details={"sends_a_minute": self._pace.per_minute, "retry_after_s": math.ceil(wait_s)},
            )
        self._add(size)
        try:
            yield
        except BaseException:
            self._pace.give_back(session)
            self._add(-size)
            raise

    def warnings(self) -> list[dict[str, object]]:
        """Authors whose mail is as large as it may be, or nearly so for this machine's own."""
        me = self._performer.core.me
        found: list[dict[str, object]] = []
        for author, size in sorted(self._kept.items()):
            if size >= (_NEARLY if author == me else 1.0) * self._mail_bytes_max:
                shown = f"the mail of {author} takes {size / _GIB:.2f} GiB here"
                what = "nothing more is sent from here at" if author == me else "its own node should have stopped at"
                text = f"{shown}; {what} {self._mail_bytes_max / _GIB:.2f} GiB"
                found.append({"code": "mail_quota", "message": text, "remedy": _REMEDY if author == me else _OTHERS})
        return found

    def _require_room(self, size: int) -> None:
        kept = self._kept.get(self._performer.core.me, 0)
        if kept + size > self._mail_bytes_max:
            raise InputFault(
                f"the mail of this machine takes {kept} bytes, of {self._mail_bytes_max} that an author may have; "
                "nothing was sent",
                code="mail_quota",
                remedy=_REMEDY,
                details={
                    "used_bytes": kept,
                    "limit_bytes": self._mail_bytes_max,
                    "retry_after_s": math.ceil(limits.RETENTION_INTERVAL_S),
                },
            )

    def _add(self, size: int) -> None:
        me = self._performer.core.me
        self._kept[me] = self._kept.get(me, 0) + size
