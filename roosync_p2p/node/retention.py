"""What becomes of messages with their age, on this machine (docs/protocol/messages.md §9).

The store finds them, the core does it. It is done in small batches with everything else in between, and goes on where
it was after a crash, because what is done is found no more.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.core.mail_commands import RaiseFloors, Retain
from roosync_p2p.core.ports import Reader
from roosync_p2p.core.retaining import ages, cited_messages, outlived
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ledger.policies import RETENTION_ARCHIVE, policy_value
from roosync_p2p.node.performer import Performer

__all__ = ["Retention"]

_LOG: Final = logging.getLogger(__name__)


class Retention:
    """Looks at the ages of messages from time to time."""

    def __init__(self, performer: Performer, reader: Reader) -> None:
        self._performer = performer
        self._reader = reader

    async def run(self) -> None:
        """Until it is cancelled. What fails is tried again the next time."""
        await anyio.sleep(limits.RETENTION_FIRST_S)
        while True:
            try:
                await self.once(self._performer.core.desk.now.wall_ms)
            except RoosyncError as error:
                _LOG.warning("messages were not looked at for their age: %s", error)
            await anyio.sleep(limits.RETENTION_INTERVAL_S)

    async def once(self, now_ms: int) -> int:
        """Does all that is due at that wall time; how many messages that were."""
        core = self._performer.core
        drops = policy_value(core.commit.state, RETENTION_ARCHIVE) == "drop"
        query = ages(core.me, now_ms, drops=drops, cited=cited_messages(core.commit.state))
        done = 0
        while True:
            aged = await anyio.to_thread.run_sync(self._reader.aged, query)
            count = len(aged.archive) + len(aged.expire) + len(aged.drop)
            if count == 0:
                break
            await self._performer.request(Retain(aged=aged))
            done += count
        # What has no body any more may leave its chain; also without that it is counted who is away.
        runs = core.exchange.own_mail()
        past = await anyio.to_thread.run_sync(outlived, self._reader, query, runs)
        await self._performer.request(RaiseFloors(outlived=past))
        return done
