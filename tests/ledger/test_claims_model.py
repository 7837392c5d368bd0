"""Claims against a naive model: who holds what, judged by a list and a clock, over random requests."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_p2p.clock import parse_rfc3339
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import ClaimAcquire, ClaimRelease, ClaimRenew, ClaimSteal, RequestWithdraw
from roosync_p2p.ledger.views import claims_view
from tests.ledger.history import A, B, C, History

Who = tuple[MachineId, str]

_SESSIONS: list[Who] = [(A, "s"), (B, "s"), (B, "t"), (C, "s")]
_NAMES = ["x", "y"]
_TTL_MS = 10_000


@dataclasses.dataclass
class Held:
    """What the model knows of one name."""

    who: Who
    token: int
    until: int
    entry: bytes
    line: list[tuple[Who, bytes]] = dataclasses.field(default_factory=list)


class Model:
    """The rules of docs/protocol/ledger.md §7, written down once more, without state keys, plans or sweeping."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}

    def pass_time(self, number: int, now: int) -> None:
        """A commit at that time: what ran out is free, or the first in line has it."""
        for name, held in list(self.held.items()):
            if held.until <= now:
                self.free(name, number, now)

    def free(self, name: str, number: int, now: int) -> None:
        """The next in line, or nobody."""
        line = self.held.pop(name).line
        if line:
            who, entry = line[0]
            self.held[name] = Held(who, number, now + _TTL_MS, entry, line[1:])

    def acquire(self, name: str, who: Who, entry: bytes, number: int, now: int, *, queue: bool) -> bool:
        held = self.held.get(name)
        if held is None:
            self.held[name] = Held(who, number, now + _TTL_MS, entry)
        elif held.who == who:
            held.until = now + _TTL_MS
        elif not queue:
            return False
        elif who in [waiting for waiting, _ in held.line]:
            held.line = [(w, entry if w == who else e) for w, e in held.line]
        else:
            held.line.append((who, entry))
        return True

    def renew(self, name: str, who: Who, token: int, now: int) -> bool:
        held = self.held.get(name)
        if held is None or (held.who, held.token) != (who, token):
            return False
        held.until = now + _TTL_MS
        return True

    def release(self, name: str, who: Who, number: int, now: int) -> bool:
        held = self.held.get(name)
        if held is None:
            return False
        if who in [waiting for waiting, _ in held.line]:
            held.line = [(w, e) for w, e in held.line if w != who]
            return True
        if held.who != who:
            return False
        self.free(name, number, now)
        return True

    def steal(self, name: str, who: Who, entry: bytes, number: int, now: int) -> bool:
        held = self.held.get(name)
        line = [] if held is None else [(w, e) for w, e in held.line if w != who]
        self.held[name] = Held(who, number, now + _TTL_MS, entry, line)
        return True

    def withdraw(self, name: str, machine: MachineId, entry: bytes, number: int, now: int) -> bool:
        held = self.held.get(name)
        if held is None:
            return False
        for who, asked in held.line:
            if who[0] == machine and asked == entry:
                held.line.remove((who, asked))
                return True
        if held.who[0] != machine or held.entry != entry:
            return False
        self.free(name, number, now)
        return True


@given(st.data())
@settings(max_examples=150)
def test_claims_are_what_the_model_says(data: st.DataObject) -> None:
    """Invariant: the same requests succeed, and the same sessions hold, with the same tokens, until the same time."""
    history, model = History(B, C), Model()
    tokens, asked = [1], [bytes(32)]
    for _ in range(data.draw(st.integers(1, 20))):
        history.wait(data.draw(st.sampled_from([0, 0, 3, 9.999, 10])))
        number, now = history.number + 1, history.time_ms
        (machine, session), name = data.draw(st.sampled_from(_SESSIONS)), data.draw(st.sampled_from(_NAMES))
        who: Who = (machine, session)
        verb = data.draw(st.sampled_from(["acquire", "queue", "renew", "release", "steal", "withdraw", "time"]))
        model.pass_time(number, now)
        accepted: bool | None = None
        expected: bool | None = None
        body: Any
        match verb:
            case "acquire" | "queue":
                body = ClaimAcquire(name=name, ttl_ms=_TTL_MS, session=session, queue=verb == "queue")
                accepted = history.say(machine, "claim.acquire", body).outcome.accepted
                entry = history.log[-1][2].id
                asked.append(entry)
                expected = model.acquire(name, who, entry, number, now, queue=verb == "queue")
            case "renew":
                token = data.draw(st.sampled_from(tokens))
                body = ClaimRenew(name=name, token=token, session=session, ttl_ms=_TTL_MS)
                accepted = history.say(machine, "claim.renew", body).outcome.accepted
                expected = model.renew(name, who, token, now)
            case "release":
                body = ClaimRelease(name=name, session=session)
                accepted = history.say(machine, "claim.release", body).outcome.accepted
                expected = model.release(name, who, number, now)
            case "steal":
                body = ClaimSteal(name=name, ttl_ms=_TTL_MS, session=session)
                accepted = history.say(machine, "claim.steal", body).outcome.accepted
                expected = machine == A and model.steal(name, who, history.log[-1][2].id, number, now)
            case "withdraw":
                entry_id = data.draw(st.sampled_from(asked))
                body = RequestWithdraw(entry=entry_id, name=name)
                accepted = history.say(machine, "request.withdraw", body).outcome.accepted
                expected = model.withdraw(name, machine, entry_id, number, now)
            case "time":
                history.voters(A)
        assert accepted == expected
        tokens += [held.token for held in model.held.values()]
        assert _shown(history) == {
            held_name: (held.who, held.token, held.until, [who for who, _ in held.line])
            for held_name, held in model.held.items()
        }


def _shown(history: History) -> dict[str, Any]:
    shown: Any = claims_view(history.state, time_ms=history.time_ms)["claims"]
    return {
        claim["name"]: (
            (claim["holder"]["machine"], claim["holder"]["session"]),
            claim["token"],
            parse_rfc3339(claim["expires_at"]),
            [(waiter["machine"], waiter["session"]) for waiter in claim["queue"]],
        )
        for claim in shown
    }
