"""Named locks with fencing tokens and expiry, as the ledger's claims are.

Expiry is judged by commit time, which nobody outside sees, so it is a transition that *may* happen, from the earliest
moment at which the lease could have run out; until somebody says otherwise, a claim may also be held for longer. The
model therefore keeps the earliest moment at which the last operation can have taken effect: an operation takes effect
not before its call, nor before those that are ordered ahead of it. Assuming the earliest for each is never wrong,
because every other assumption allows less.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from tests.linearizability.history import Operation

__all__ = [
    "Acquire",
    "Answer",
    "Check",
    "Claims",
    "Done",
    "Free",
    "Granted",
    "Held",
    "Lease",
    "Refused",
    "Release",
    "Renew",
    "Request",
    "Who",
]


class Acquire(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="acquire"):
    """Granted or Held."""

    session: str
    ttl_s: float


class Renew(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="renew"):
    """Done or Refused."""

    session: str
    token: int
    ttl_s: float


class Release(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="release"):
    """Done or Refused."""

    session: str
    token: int


class Check(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="check"):
    """Whether a token is the holder's: Done or Refused."""

    token: int


class Who(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="who"):
    """Held or Free."""


class Granted(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="granted"):
    """The claim is the session's."""

    token: int


class Held(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="held"):
    """By whom; a token that was not told is None."""

    by: str
    token: int | None = None


class Free(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="free"):
    """By nobody."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="done"):
    """As asked."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="refused"):
    """The claim is not that session's with that token."""


Request: TypeAlias = Acquire | Renew | Release | Check | Who
Answer: TypeAlias = Granted | Held | Free | Done | Refused


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The state.

    Attributes:
        holder: None: nobody; what follows but ``last`` and ``since_s`` then means nothing.
        token: None: of a grant that was never answered, so nobody has said it yet; it is above ``last``.
        due_s: the earliest moment at which it may expire.
        abandoned: the holder's node may give it back by itself, because its grant was never answered.
        last: the highest token that is known to have been given.
        since_s: the earliest moment at which this state can have begun.
    """

    holder: str | None = None
    token: int | None = None
    due_s: float = math.inf
    abandoned: bool = False
    last: int = 0
    since_s: float = -math.inf

    def freed(self, at_s: float) -> Lease:
        """Nobody's, not before that moment."""
        return Lease(last=self.last, since_s=max(self.since_s, at_s))

    def said(self, by: str | None, token: int | None) -> Iterator[Lease]:
        """Somebody was told that this session (None: whichever) has it with this token (None: not told)."""
        if self.holder is None or by not in (None, self.holder):
            return
        if token is None or token == self.token:
            yield self
        elif self.token is None and token > self.last:
            yield dataclasses.replace(self, token=token, last=token)


class Claims:
    """The model of one claim.

    Args:
        early_s: how much sooner than its time to live, by the clients' clock, a lease may run out: by how much the
            leaders' clocks may differ.
        gives_up: the node of a caller that got no answer may release the claim behind its back.
    """

    requests: Any = Request
    answers: Any = Answer

    def __init__(self, *, early_s: float = 0.0, gives_up: bool = False) -> None:
        self._early_s = early_s
        self._gives_up = gives_up

    def initial(self) -> Lease:
        """Nobody's."""
        return Lease()

    def weighed(self, state: Lease) -> tuple[Hashable, tuple[float, ...]]:
        """The later everything was, and the more tokens are known, the less can follow."""
        return (state.holder, state.token, state.abandoned), (state.due_s, state.since_s, state.last)

    def step(self, state: Lease, operation: Operation) -> Iterator[Lease]:
        """See :class:`~tests.linearizability.history.Model`."""
        for before in self._by_itself(state, operation.return_s):
            since_s = max(before.since_s, operation.call_s)
            if since_s <= operation.return_s:
                yield from self._answered(dataclasses.replace(before, since_s=since_s), operation)

    def is_past(self, state: Lease, operation: Operation) -> bool:
        """Tokens only grow, and one that is given up never comes back."""
        token = _token_told(operation)
        return token is not None and (token < state.last or (token == state.last and token != state.token))

    def mattering(self, unanswered: Sequence[Operation], answered: Sequence[Operation]) -> Sequence[Operation]:
        """Releases, and acquisitions by sessions of which some answer says that they had the claim.

        Take an order in which a session gets the claim by an acquisition without an answer, and in which no answer says
        that it has it; nor does a check, which names no session. Until the claim is free again every answer is then a
        refusal, and the same refusal is right for a free claim. So without that acquisition, and without the release
        without an answer that may have ended it, all answers are explained as well: the claim is free all the while,
        and since no later a moment. A renewal without an answer only lengthens, and a read does nothing.
        """
        if any(isinstance(one.request, Check) and isinstance(one.answer, Done) for one in answered):
            return [one for one in unanswered if isinstance(one.request, Acquire | Release)]
        holders = {_holder_told(one) for one in answered}
        return [
            one
            for one in unanswered
            if isinstance(one.request, Release) or (isinstance(one.request, Acquire) and one.request.session in holders)
        ]

    def _by_itself(self, state: Lease, until_s: float) -> Iterator[Lease]:
        """What the state may have become without anybody asking."""
        yield state
        if state.holder is not None and state.abandoned:
            yield state.freed(state.since_s)
        elif state.holder is not None and state.due_s <= until_s:
            yield state.freed(state.due_s)

    def _answered(self, state: Lease, operation: Operation) -> Iterator[Lease]:
        match operation.request, operation.answer:
            case Acquire() as request, answer:
                yield from self._acquired(state, request, answer)
            case Renew(session=session, token=token, ttl_s=ttl_s), Done():
                for held in state.said(session, token):
                    yield dataclasses.replace(held, due_s=self._due_s(state, ttl_s), abandoned=False)
            case Release(session=session, token=token), Done() | None:
                yield from (held.freed(held.since_s) for held in state.said(session, token))
            case Check(token=token), Done():
                yield from state.said(None, token)
            case Check(token=token), Refused() if state.holder is None or state.token != token:
                yield state
            case Renew() | Release() as request, Refused() if not _is_holder(state, request):
                yield state
            case Who(), Held(by=by, token=token):
                yield from state.said(by, token)
            case Who(), Free() if state.holder is None:
                yield state
            case _:
                pass  # an unanswered read, or a renewal, which only lengthens; or nothing that a claim says to this

    def _acquired(self, state: Lease, request: Acquire, answer: Answer | None) -> Iterator[Lease]:
        match answer:
            case Granted(token=token) if state.holder is None and token > state.last:
                due_s = self._due_s(state, request.ttl_s)
                yield dataclasses.replace(state, holder=request.session, token=token, due_s=due_s, last=token)
            case Granted(token=token):  # it had it already, and is told so again
                yield from state.said(request.session, token)
            case Held(by=by, token=token):
                yield from state.said(by, token)
            case None if state.holder is None:
                due_s = self._due_s(state, request.ttl_s)
                yield dataclasses.replace(
                    state, holder=request.session, token=None, due_s=due_s, abandoned=self._gives_up
                )
            case _:
                pass

    def _due_s(self, state: Lease, ttl_s: float) -> float:
        return state.since_s + max(0.0, ttl_s - self._early_s)


def _is_holder(state: Lease, request: Renew | Release) -> bool:
    return state.holder == request.session and state.token == request.token


def _token_told(operation: Operation) -> int | None:
    """The token that somebody has, as this answer says; None if it says of none."""
    match operation.request, operation.answer:
        case _, Granted(token=token) | Held(token=token):
            return token
        case Renew(token=token) | Release(token=token) | Check(token=token), Done():
            return token
        case _:
            return None


def _holder_told(operation: Operation) -> str | None:
    """The session that has or had the claim, as this answer says."""
    match operation.request, operation.answer:
        case Acquire(session=session), Granted():
            return session
        case _, Held(by=by):
            return by
        case Renew(session=session) | Release(session=session), Done():
            return session
        case _:
            return None
