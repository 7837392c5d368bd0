"""Claims against a naive twin: one holder at a time, tokens that grow, and every outcome as the rules say.

The order of the log is the witness: that it respects real time is checked where users are answered
(:mod:`~roosync_p2p.simulation.checkers.commits`), so that what the twin says of every number makes the whole history
linearizable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["ClaimChecker", "ClaimCommit"]

ACQUIRE, RENEW, RELEASE, WITHDRAW = "claim.acquire", "claim.renew", "claim.release", "request.withdraw"

Session = tuple[str, str]  # machine and session


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCommit:
    """One number of the log, whatever its kind, with what its body says and what was decided.

    Attributes:
        entry: its id; ``about``: the entry that a withdrawal or a release names.
        token: that the author names; ``granted``: that the outcome names, None if it names none.
        late_ms: the not-after; ``fence``: name and token.
        epoch: in which it was written; ``ordered_in``: in which it got its number.
        ends: the machine whose membership this ends, empty for none.
    """

    number: int
    time_ms: int
    kind: str
    accepted: bool
    reason: str = ""
    who: Session = ("", "")
    name: str = ""
    ttl_ms: int = 0
    token: int = 0
    granted: int | None = None
    entry: str = ""
    about: str = ""
    queue: bool = False
    wait_until_ms: int | None = None
    late_ms: int | None = None
    fence: tuple[str, int] | None = None
    epoch: int = 0
    ordered_in: int = 0
    ends: str = ""


@dataclasses.dataclass(slots=True)
class _Wait:
    who: Session
    entry: str
    ttl_ms: int
    until_ms: int | None


@dataclasses.dataclass(slots=True)
class _Claim:
    who: Session
    entry: str
    token: int
    ends_ms: int
    line: list[_Wait] = dataclasses.field(default_factory=list)


class ClaimChecker:
    """The twin: a dictionary of holders, looked through at every number."""

    def __init__(self) -> None:
        self._claims: dict[str, _Claim] = {}
        self._tokens: dict[str, int] = {}
        self._ended: set[str] = set()
        self.grants = 0
        self.refusals = 0

    def finish(self, commits: Sequence[ClaimCommit], at_s: float) -> list[Violation]:
        """Replays the whole log."""
        wrong = []
        for commit in commits:
            self._let_due(commit)
            self._end(commit)
            allowed = self._judge(commit)
            if allowed is None:
                continue
            self.refusals += not commit.accepted
            said = "" if commit.accepted else commit.reason
            if said not in allowed:
                text = (
                    f"number {commit.number}, {commit.kind} of {commit.name} by {'/'.join(commit.who)}: "
                    f"{said or 'accepted'}, where the rules say {' or '.join(one or 'accepted' for one in allowed)}"
                )
                wrong.append(_wrong(at_s, text))
            claim = self._claims.get(commit.name)
            mine = claim is not None and claim.who == commit.who
            if commit.granted is not None and commit.accepted and mine and claim and claim.token != commit.granted:
                text = f"number {commit.number} tells token {commit.granted} of {commit.name}, which is {claim.token}"
                wrong.append(_wrong(at_s, text))
        return wrong

    # --- the rules, naively ---------------------------------------------------------------------------------------

    def _judge(self, commit: ClaimCommit) -> tuple[str, ...] | None:
        """The reasons that the outcome may have, "" for acceptance; None for what is no claim's business."""
        if commit.kind not in (ACQUIRE, RENEW, RELEASE, WITHDRAW):
            return None
        if commit.who[0] in self._ended:
            return ("not_a_member",)
        if commit.epoch < commit.ordered_in:
            return ("old_epoch",)
        if commit.late_ms is not None and commit.time_ms > commit.late_ms:
            return ("too_late",)
        if commit.fence is not None:
            fenced = self._held(commit.fence[0], commit.time_ms)
            if fenced is None or fenced.token != commit.fence[1]:
                return ("fenced",)
        match commit.kind:
            case "claim.acquire":
                return self._acquire(commit)
            case "claim.renew":
                return self._renew(commit)
            case "claim.release":
                return self._release(commit)
            case _:
                return self._withdraw(commit)

    def _acquire(self, commit: ClaimCommit) -> tuple[str, ...]:
        asks = _Wait(commit.who, commit.entry, commit.ttl_ms, commit.wait_until_ms)
        claim = self._held(commit.name, commit.time_ms)
        if claim is None:
            self._grant(commit.name, asks, commit, [])
        elif claim.who == commit.who:
            claim.ends_ms = commit.time_ms + commit.ttl_ms
        elif not commit.queue:
            return ("claim_held",)
        else:
            place = next((at for at, wait in enumerate(claim.line) if wait.who == commit.who), len(claim.line))
            claim.line[place : place + 1] = [asks]
        return ("",)

    def _renew(self, commit: ClaimCommit) -> tuple[str, ...]:
        claim = self._claims.get(commit.name)
        if claim is None or claim.who != commit.who or claim.token != commit.token:
            return ("not_holder",)
        if claim.ends_ms <= commit.time_ms:
            return ("expired", "not_holder")  # swept by now, or not
        claim.ends_ms = commit.time_ms + commit.ttl_ms
        return ("",)

    def _release(self, commit: ClaimCommit) -> tuple[str, ...]:
        claim = self._claims.get(commit.name)
        if claim is None:
            return ("not_holder",)
        line = [wait for wait in claim.line if wait.who != commit.who or (commit.about and wait.entry != commit.about)]
        if len(line) != len(claim.line):
            claim.line = line
            return ("",)
        if claim.who != commit.who or commit.token not in (0, claim.token):
            return ("not_holder",)
        if claim.ends_ms <= commit.time_ms:
            return ("expired", "not_holder")
        if commit.about and claim.entry != commit.about:
            return ("not_holder",)
        self._pass_on(commit.name, claim, commit)
        return ("",)

    def _withdraw(self, commit: ClaimCommit) -> tuple[str, ...]:
        claim = self._claims.get(commit.name) if commit.name else None
        if claim is None:
            return ("too_late",)
        line = [wait for wait in claim.line if (wait.who[0], wait.entry) != (commit.who[0], commit.about)]
        if len(line) != len(claim.line):
            claim.line = line
            return ("",)
        mine = (claim.who[0], claim.entry) == (commit.who[0], commit.about)
        if not mine or claim.ends_ms <= commit.time_ms:
            return ("too_late",)
        self._pass_on(commit.name, claim, commit)
        return ("",)

    def _held(self, name: str, time_ms: int) -> _Claim | None:
        claim = self._claims.get(name)
        return claim if claim is not None and time_ms < claim.ends_ms else None

    def _grant(self, name: str, asks: _Wait, commit: ClaimCommit, line: list[_Wait]) -> None:
        self.grants += 1
        assert commit.number > self._tokens.get(name, 0), "numbers grow"
        self._tokens[name] = commit.number
        rest = [wait for wait in line if wait.who != asks.who]
        self._claims[name] = _Claim(asks.who, asks.entry, commit.number, commit.time_ms + asks.ttl_ms, rest)

    def _end(self, commit: ClaimCommit) -> None:
        """A machine is no member any more: what it holds and waits for is free."""
        if not commit.ends or not commit.accepted:
            return
        self._ended.add(commit.ends)
        for name, claim in sorted(self._claims.items()):
            claim.line = [wait for wait in claim.line if wait.who[0] != commit.ends]
            if claim.who[0] == commit.ends:
                self._pass_on(name, claim, commit)

    def _let_due(self, commit: ClaimCommit) -> None:
        for name, claim in list(self._claims.items()):
            if claim.line and claim.ends_ms <= commit.time_ms:
                self._pass_on(name, claim, commit)

    def _pass_on(self, name: str, claim: _Claim, commit: ClaimCommit) -> None:
        waiting = [wait for wait in claim.line if wait.until_ms is None or commit.time_ms <= wait.until_ms]
        del self._claims[name]
        if waiting:
            self._grant(name, waiting[0], commit, waiting[1:])


def _wrong(at_s: float, text: str) -> Violation:
    return Violation(checker="claims", at_s=at_s, text=text)
