"""A client that wants claims: it takes some, gives back what it has, and looks who has others."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from roosync_p2p import Client
from roosync_p2p.errors import InputFault
from tests.end_to_end.load_tally import Tally
from tests.linearizability.claims import Acquire, Done, Free, Granted, Held, Refused, Release, Who
from tests.linearizability.recorder import Recorder

__all__ = ["ClaimClient", "Names"]

TTL_S: Final = 3600.0  # nothing expires during a run: expiry has tests of its own, in virtual time
SLOTS: Final = 24
USES: Final = 60


class Names:
    """What all clients want: a few names at a time, so that they meet, and each for a while only.

    The effort of checking one name grows with what was asked about it and never answered, because that may have had its
    effect at any time since: so no name has a long history.
    """

    def __init__(self) -> None:
        self._drawn = [0] * SLOTS

    def draw(self, dice: random.Random) -> str:
        """One of those in use."""
        slot = dice.randrange(SLOTS)
        self._drawn[slot] += 1
        return f"issue-{slot}-{self._drawn[slot] // USES}"


class ClaimClient:
    """One session at one machine's node.

    Args:
        home: of the node.
        name: of the session.
    """

    def __init__(
        self, home: Path, name: str, *, names: Names, recorder: Recorder, tally: Tally, timeout_s: float
    ) -> None:
        self._client = Client(home)
        self._name = name
        self._names = names
        self._recorder = recorder
        self._tally = tally
        self._speaker = {"user": name, "process": 1}
        self._ordering = {"timeout_s": timeout_s}
        self._held: dict[str, int] = {}

    async def one(self, dice: random.Random) -> None:
        """One operation. Raises what the client raises without an answer."""
        kind = dice.random()
        if self._held and kind < 0.4:
            await self._release(dice.choice(sorted(self._held)))
        elif kind < 0.6:
            await self._look(self._names.draw(dice))
        else:
            await self._acquire(self._names.draw(dice))

    async def _release(self, name: str) -> None:
        token = self._held.pop(name)  # whatever comes of it: it is not used any more
        request = Release(session=self._name, token=token)
        with self._recorder.operation(self._name, name, request) as call, self._tally.asking(call):
            try:
                await self._client.release_claim(name, token, speaker=self._speaker, ordering=self._ordering)
            except InputFault as refusal:
                if refusal.code not in ("not_holder", "not_held"):
                    raise
                self._tally.answer(call, Refused())
            else:
                self._tally.answer(call, Done())

    async def _look(self, name: str) -> None:
        with self._recorder.operation(self._name, name, Who()) as call, self._tally.asking(call):
            answer = await self._client.claims()
            holders = [claim for claim in answer["claims"] if claim["name"] == name]
            if answer["stale"]:
                self._tally.without_effect(call, "stale")  # it says itself that it may be old
            elif holders:
                self._tally.answer(call, Held(by=_who(holders[0]), token=holders[0]["token"]))
            else:
                self._tally.answer(call, Free())

    async def _acquire(self, name: str) -> None:
        request = Acquire(session=self._name, ttl_s=TTL_S)
        with self._recorder.operation(self._name, name, request) as call, self._tally.asking(call):
            try:
                claim = await self._client.claim(name, ttl_s=TTL_S, speaker=self._speaker, ordering=self._ordering)
            except InputFault as refusal:
                if refusal.code != "claim_held":
                    raise
                details: Any = refusal.details
                self._tally.answer(call, Held(by=_who(details), token=details["token"]))
            else:
                self._tally.answer(call, Granted(token=claim["token"]))
                self._held[name] = claim["token"]


def _who(claim: dict[str, Any]) -> str:
    """The client that a claim's session is of: its session is ``user/workspace/process``."""
    return str(claim["holder"]["session"]).split("/")[0]
