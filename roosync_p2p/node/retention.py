"""What becomes of messages with their age, on this machine (docs/protocol/messages.md §9).

The store finds them, the core does it. It is done in small batches with everything else in between, and goes on where
it was after a crash, because what is done is found no more.
"""

from __future__ import annotations

import logging
import re
from typing import Final

import anyio
import anyio.to_thread

from roosync_p2p import limits
from roosync_p2p.core.mail_commands import Retain
from roosync_p2p.core.ports import AgedQuery, Reader
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.decision_state import decision_of, live_decisions
from roosync_p2p.ledger.policies import RETENTION_ARCHIVE, policy_value
from roosync_p2p.ledger.state import Reader as StateReader
from roosync_p2p.node.performer import Performer

__all__ = ["Retention", "ages", "cited_messages"]

_LOG: Final = logging.getLogger(__name__)
_MESSAGE: Final = re.compile(r"msg-[0-9]{8}T[0-9]{6}-[a-z0-9]{1,32}")


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
                return done
            await self._performer.request(Retain(aged=aged))
            done += count


def ages(me: MachineId, now_ms: int, *, drops: bool, cited: tuple[str, ...]) -> AgedQuery:
    """The ages of §9 as wall times. ``drops``: whether bodies go at all."""

    def ago_ms(seconds: float) -> int:
        return now_ms - round(seconds * 1000)

    # What is in no inbox here may lie unread, read and archived elsewhere for so long.
    elsewhere_s = limits.UNREAD_LIFE_S + limits.READ_LIFE_S + limits.ARCHIVED_LIFE_S
    return AgedQuery(
        mine=me,
        read_ms=ago_ms(limits.READ_LIFE_S),
        unread_ms=ago_ms(limits.UNREAD_LIFE_S),
        shown_ms=ago_ms(limits.UNREAD_SHOWN_S),
        archived_ms=ago_ms(limits.ARCHIVED_LIFE_S) if drops else -1,
        elsewhere_ms=ago_ms(elsewhere_s) if drops else -1,
        cited=cited,
        limit=limits.RETENTION_BATCH_MAX,
    )


def cited_messages(state: StateReader) -> tuple[str, ...]:
    """Ids of the messages that title or description of an open decision names."""
    found: set[str] = set()
    for name, live in live_decisions(state):
        decision = decision_of(state, name)
        if not live.effect and decision is not None:
            found.update(_MESSAGE.findall(f"{decision.title} {decision.description}"))
    return tuple(sorted(found))
