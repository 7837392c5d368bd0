"""Histories of simulated clients of a simulated object, in virtual time: correct ones, and ones with one known fault.

An operation takes effect at one moment between call and return. Some answers are lost; some of those operations never
took effect.
"""

from __future__ import annotations

import dataclasses
import functools
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from tests.linearizability import baseline, claims, register
from tests.linearizability.history import Operation

__all__ = ["BaselineServer", "ClaimServer", "RegisterServer", "simulate"]


class RegisterServer:
    """A register. ``fault``: ``stale_read`` or ``lost_update``, at times."""

    def __init__(self, dice: random.Random, fault: str = "") -> None:
        self._dice = dice
        self._fault = fault
        self._kept = [(0, "")]

    def ask(self, _client: str, _now_s: float) -> register.Request:
        """What a client wants next."""
        version = self._kept[-1][0]
        if self._dice.random() < 0.5:
            return register.Get()
        based_on = self._dice.choice([None, version, max(0, version - 1)])
        return register.Set(value=f"v{self._dice.randrange(1000)}", based_on=based_on)

    def take(self, request: register.Request, _now_s: float) -> register.Answer:
        """The request takes effect."""
        version, value = self._kept[-1]
        faulty = self._dice.random() < 0.3
        if isinstance(request, register.Get):
            if self._fault == "stale_read" and faulty and len(self._kept) > 1:
                version, value = self._kept[-2]
            return register.Value(version=version, value=value)
        if request.based_on not in (None, version) and not (self._fault == "lost_update" and faulty):
            return register.Conflict(version=version)
        self._kept.append((version + self._dice.randint(1, 3), request.value))
        return register.Accepted(version=self._kept[-1][0])


class BaselineServer:
    """A document. ``fault``: ``stale_read``, ``lost_update`` or ``unseen``, a write that is gone again, at times."""

    PLACES = ("p", "q", "r")

    def __init__(self, dice: random.Random, fault: str = "") -> None:
        self._dice = dice
        self._fault = fault
        self._kept = [baseline.Document()]
        self._numbers = itertools.count(1)

    def ask(self, _client: str, _now_s: float) -> baseline.Request:
        """What a client wants next; it may have read the document a while ago."""
        if self._dice.random() < 0.5:
            return baseline.Read()
        based_on = max(0, self._kept[-1].version - self._dice.choice([0, 0, 1, 2]))
        value = f"v{next(self._numbers)}"
        return baseline.Write(place=self._dice.choice(self.PLACES), value=value, based_on=based_on)

    def take(self, request: baseline.Request, _now_s: float) -> baseline.Answer:
        """The request takes effect."""
        newest = self._kept[-1]
        faulty = self._dice.random() < 0.3
        if isinstance(request, baseline.Read):
            shown = self._kept[-2] if self._fault == "stale_read" and faulty and newest.version else newest
            return baseline.Shown(version=shown.version, values=shown.values)
        overtaken = newest.changed_at(request.place) > request.based_on
        if overtaken and not (self._fault == "lost_update" and faulty):
            return baseline.Overtaken()
        before = self._kept[-2] if self._fault == "unseen" and faulty and newest.version else newest
        self._kept.append(before.written(request.place, request.value))
        return baseline.Written(version=self._kept[-1].version)


class ClaimServer:
    """One claim. ``fault``: ``two_winners``, ``token_back`` or ``early_expiry``, at times."""

    TTL_S = 5.0

    def __init__(self, dice: random.Random, fault: str = "") -> None:
        self._dice = dice
        self._fault = fault
        self._number = 0
        self._holder: tuple[str, int, float] | None = None
        self._told: dict[str, int] = {}

    def ask(self, client: str, _now_s: float) -> claims.Request:
        """What a client wants next; it knows the last token it got."""
        token = self._told.get(client, 1)
        wishes: list[claims.Request] = [
            claims.Acquire(session=client, ttl_s=self.TTL_S),
            claims.Acquire(session=client, ttl_s=self.TTL_S),
            claims.Release(session=client, token=token),
            claims.Renew(session=client, token=token, ttl_s=self.TTL_S),
            claims.Check(token=token),
            claims.Who(),
        ]
        return self._dice.choice(wishes)

    def take(self, request: claims.Request, now_s: float) -> claims.Answer:
        """The request takes effect."""
        self._number += self._dice.randint(1, 3)
        self._expire(now_s)
        match request:
            case claims.Acquire(session=session, ttl_s=ttl_s):
                return self._acquire(session, now_s + ttl_s)
            case claims.Who():
                return claims.Free() if self._holder is None else self._held()
            case claims.Check(token=token):
                return claims.Done() if self._holder and self._holder[1] == token else claims.Refused()
            case claims.Renew(session=session, token=token) | claims.Release(session=session, token=token):
                if self._holder is None or self._holder[:2] != (session, token):
                    return claims.Refused()
                renewed = (session, token, now_s + self.TTL_S)
                self._holder = renewed if isinstance(request, claims.Renew) else None
                return claims.Done()

    def _acquire(self, session: str, due_s: float) -> claims.Answer:
        if self._holder is not None and not (self._fault == "two_winners" and self._dice.random() < 0.3):
            return self._held()
        last = self._told.get(session, 0)
        token = max(1, last - 1) if self._fault == "token_back" and last and self._dice.random() < 0.5 else self._number
        self._holder = (session, token, due_s)
        self._told[session] = token
        return claims.Granted(token=token)

    def _held(self) -> claims.Held:
        assert self._holder is not None
        return claims.Held(by=self._holder[0], token=self._dice.choice([None, self._holder[1]]))

    def _expire(self, now_s: float) -> None:
        early_s = 4.0 if self._fault == "early_expiry" and self._dice.random() < 0.5 else 0.0
        if self._holder is not None and now_s >= self._holder[2] - early_s:
            self._holder = None


@dataclasses.dataclass(slots=True)
class _Asked:
    client: str
    request: Any
    call_s: float
    lost: bool
    answer: Any = None


def simulate(
    dice: random.Random,
    server: RegisterServer | BaselineServer | ClaimServer,
    *,
    count: int,
    clients: int = 3,
    lost: float = 0.1,
    key: str = "k",
) -> list[Operation]:
    """A history of ``count`` operations on one object, of which about ``lost`` have no answer."""
    history: list[Operation] = []
    order = itertools.count()
    events: list[tuple[float, int, Callable[[float], None]]] = []
    left = count

    def at(time_s: float, action: Callable[[float], None]) -> None:
        heapq.heappush(events, (time_s, next(order), action))

    def call(client: str, now_s: float) -> None:
        nonlocal left
        if left == 0:
            return
        left -= 1
        asked = _Asked(client, server.ask(client, now_s), now_s, dice.random() < lost)
        if not asked.lost or dice.random() < 0.5:
            at(now_s + dice.expovariate(2.0), lambda then_s: effect(asked, then_s))
        if asked.lost:
            history.append(Operation(process=client, key=key, request=asked.request, answer=None, call_s=asked.call_s))
            at(now_s + 1.0, lambda then_s: call(client, then_s))

    def effect(asked: _Asked, now_s: float) -> None:
        asked.answer = server.take(asked.request, now_s)
        if not asked.lost:
            at(now_s + dice.expovariate(2.0), lambda then_s: returned(asked, then_s))

    def returned(asked: _Asked, now_s: float) -> None:
        history.append(
            Operation(
                process=asked.client,
                key=key,
                request=asked.request,
                answer=asked.answer,
                call_s=asked.call_s,
                return_s=now_s,
            )
        )
        at(now_s + dice.expovariate(4.0), lambda then_s: call(asked.client, then_s))

    for number in range(clients):
        at(dice.random(), functools.partial(call, f"c{number}"))
    while events:
        now_s, _, action = heapq.heappop(events)
        action(now_s)
    return history
