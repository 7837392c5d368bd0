"""A client that changes the baseline and reads it, as a person would at one machine.

A change is proposed with the version that its author had read, and counts when a person has approved it: two requests.
Only the second has an effect on the baseline, so it is the operation that is recorded. A proposal without an answer is
asked for again under its key, and is the same one.

Whoever comes too late is not kept waiting for a person to resolve the conflict: what the fleet has decided wins.
"""

from __future__ import annotations

import base64
import dataclasses
import random
from pathlib import Path
from typing import Any, Final

from roosync_p2p import Client
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import load_identity, load_root_key
from roosync_p2p.adapters.person_keys import load_person_key
from roosync_p2p.admin.persons import Keys, add_person
from roosync_p2p.ids import FleetId
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import verdict_bytes
from tests.end_to_end.load_tally import Tally
from tests.helpers.fleet import Machine
from tests.linearizability.baseline import Overtaken, Read, Shown, Write, Written
from tests.linearizability.recorder import Recorder

__all__ = ["OBJECT", "BaselineClient", "Person"]

OBJECT: Final = "baseline"  # the one that there is
PLACES: Final = 8
MANY_VERSIONS: Final = 250
_PASSPHRASE: Final = b"a load approves what it proposed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who approves, at whichever machine."""

    name: str
    key: SigningKey
    fleet: FleetId

    @classmethod
    def at(cls, founder: Machine, name: str) -> Person:
        """Makes a person of a fleet whose founder's node runs and whose root key is open, and has conflicts decided in
        favour of what is there. From then on no machine approves anything."""
        decided = founder.client.set_policy("conflict.strategy", {"*": "auto-remote"}, approve=True)
        assert decided["state"] == "applied", decided
        home = founder.home
        add_person(Home(home), name, "", Keys(root=lambda: load_root_key(home, None), passphrase=lambda: _PASSPHRASE))
        return cls(name=name, key=load_person_key(home, name, _PASSPHRASE), fleet=load_identity(home).fleet)

    def approval(self, decision: dict[str, Any]) -> dict[str, object]:
        """The signature over a decision as the API shows it."""
        signature = self.key.sign(
            verdict_bytes(
                fleet=self.fleet,
                person=self.name,
                decision=decision["id"],
                revision=bytes.fromhex(decision["revision"]),
                verdict="approve",
                not_after_ms=0,
            )
        )
        return {"person": self.name, "signature": base64.b64encode(signature).decode(), "not_after_ms": 0}


class BaselineClient:
    """One author at one machine's node.

    Args:
        home: of the node.
        name: of the author, in values and keys.
        person: approves what it proposes.
    """

    def __init__(
        self, home: Path, name: str, *, person: Person, recorder: Recorder, tally: Tally, timeout_s: float
    ) -> None:
        self._client = Client(home)
        self._name = name
        self._person = person
        self._recorder = recorder
        self._tally = tally
        self._timeout_s = timeout_s
        self._read_version = 0
        self._writes = 0
        self._wish: Write | None = None

    async def one(self, dice: random.Random) -> None:
        """One operation. Raises what the client raises without an answer."""
        if self._wish is None and dice.random() >= self._share_of_writes():
            await self._read()
            return
        if self._wish is None:
            self._writes += 1
            place, value = f"place-{dice.randrange(PLACES)}", f"{self._name}-{self._writes}"
            self._wish = Write(place=place, value=value, based_on=self._read_version)
        decision = await self._proposed(self._wish)
        wish, self._wish = self._wish, None  # whatever comes of the approval: it is not asked for again
        await self._approve(wish, decision)

    def _share_of_writes(self) -> float:
        """Half; later less. The ledger compares a new decision with all in effect, and this load never ends one: at
        thousands of them a long run would be busy with that alone."""
        return 0.5 * min(1.0, MANY_VERSIONS / (self._read_version + 1))

    async def _read(self) -> None:
        with self._recorder.operation(self._name, OBJECT, Read()) as call, self._tally.asking(call):
            answer = await self._client.baseline()
            if answer["stale"]:
                self._tally.without_effect(call, "stale")  # it says itself that it may be old
                return
            self._read_version = answer["version"]
            values = tuple(sorted(answer["document"].items()))
            self._tally.answer(call, Shown(version=answer["version"], values=values))

    async def _proposed(self, wish: Write) -> dict[str, Any]:
        action = {"op": "set", "resource": f"baseline:fleet#/{wish.place}", "value": wish.value}
        change: dict[str, Any] = {"actions": [action]} if self._writes % 2 else {"patch": {wish.place: wish.value}}
        ordering = {"timeout_s": self._timeout_s, "idempotency_key": wish.value}
        return await self._client.set_baseline(change, version=wish.based_on, ordering=ordering)

    async def _approve(self, wish: Write, proposed: dict[str, Any]) -> None:
        assert proposed["state"] == "pending", proposed
        with self._recorder.operation(self._name, OBJECT, wish) as call, self._tally.asking(call):
            decided = await self._client.approve(
                proposed["id"],
                revision=proposed["revision"],
                person=self._person.approval(proposed),
                ordering={"timeout_s": self._timeout_s},
            )
            if decided["state"] == "applied":
                self._tally.answer(call, Written(version=decided["baseline_version"]))
            else:
                assert decided["state"] == "superseded", decided
                self._tally.answer(call, Overtaken())
