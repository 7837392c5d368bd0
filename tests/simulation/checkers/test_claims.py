"""The twin of the claims finds two holders, tokens of another, and outcomes that the rules do not give."""

from __future__ import annotations

import pytest

from roosync_p2p.simulation.checkers.claims import ClaimChecker, ClaimCommit

ANNA, BERT = ("alpha", "s1"), ("beta", "s1")


class History:
    """Numbers, one a second."""

    def __init__(self) -> None:
        self.commits: list[ClaimCommit] = []

    def __call__(
        self,
        kind: str = "claim.acquire",
        who: tuple[str, str] = ANNA,
        *,
        reason: str = "",
        granted: int | None = None,
        token: int = 0,
        ttl_ms: int = 10_000,
        entry: str = "",
        about: str = "",
        queue: bool = False,
        late_ms: int | None = None,
        fence: tuple[str, int] | None = None,
        skip: int = 0,
    ) -> None:
        number = len(self.commits) + 1
        at_ms = (self.commits[-1].time_ms if self.commits else 0) + 1000 * (1 + skip)
        self.commits.append(
            ClaimCommit(
                number=number,
                time_ms=at_ms,
                kind=kind,
                accepted=not reason,
                reason=reason,
                who=who,
                name="x",
                ttl_ms=ttl_ms,
                token=token,
                granted=granted,
                entry=entry or f"e{number}",
                about=about,
                queue=queue,
                late_ms=late_ms,
                fence=fence,
            )
        )

    def wrong(self) -> list[str]:
        return [violation.text for violation in ClaimChecker().finish(self.commits, 9.0)]


def test_a_history_as_the_rules_say_is_well() -> None:
    say = History()
    say(granted=1)
    say(who=BERT, reason="claim_held")
    say("claim.renew", token=1)
    say(who=BERT, queue=True)
    say("claim.release", token=1)
    say("claim.renew", BERT, token=5)  # the line passed it on, under that number
    say(reason="claim_held")
    say("claim.release", reason="not_holder", token=1)
    say(skip=20, granted=9)
    say("claim.renew", token=9, skip=20, reason="expired")
    say(who=BERT, granted=11, entry="asked")
    say("request.withdraw", ("beta", ""), about="asked")
    say("request.withdraw", ("beta", ""), about="asked", reason="too_late")
    say(late_ms=0, reason="too_late")
    say(fence=("x", 11), reason="fenced")
    say("policy", reason="whatever")
    assert say.wrong() == []


def test_a_second_holder_is_found() -> None:
    say = History()
    say(granted=1)
    say(who=BERT, granted=2)
    (text,) = say.wrong()
    assert text == "number 2, claim.acquire of x by beta/s1: accepted, where the rules say claim_held"


def test_a_refusal_without_a_holder_is_found() -> None:
    say = History()
    say(reason="claim_held")
    assert "the rules say accepted" in say.wrong()[0]


def test_a_token_that_is_not_the_number_is_found() -> None:
    say = History()
    say(granted=7)
    (text,) = say.wrong()
    assert text == "number 1 tells token 7 of x, which is 1"


@pytest.mark.parametrize(
    ("kind", "token", "skip"),
    [("claim.renew", 1, 20), ("claim.renew", 2, 0), ("claim.release", 1, 20), ("claim.release", 2, 0)],
)
def test_who_holds_no_more_or_never_did_may_do_nothing(kind: str, token: int, skip: int) -> None:
    say = History()
    say(granted=1)
    say(kind, token=token, skip=skip)
    assert len(say.wrong()) == 1


def test_what_comes_late_or_under_a_lost_fence_is_found_when_it_counts() -> None:
    say = History()
    say(granted=1)
    say("claim.renew", token=1, late_ms=500)
    say("claim.renew", token=1, fence=("x", 3))
    assert len(say.wrong()) == 2


def test_somebody_who_left_the_line_and_still_gets_it_is_found() -> None:
    say = History()
    say(granted=1)
    say(who=BERT, queue=True, entry="asked")
    say("request.withdraw", ("beta", ""), about="asked")
    say("claim.release", token=1)
    say("claim.renew", BERT, token=4)
    (text,) = say.wrong()
    assert "the rules say not_holder" in text


@pytest.mark.parametrize(("reason", "wrong"), [("old_epoch", 0), ("", 1)])
def test_what_was_asked_in_an_older_epoch_has_no_effect(reason: str, wrong: int) -> None:
    commit = ClaimCommit(
        number=1,
        time_ms=1000,
        kind="claim.acquire",
        accepted=not reason,
        reason=reason,
        who=ANNA,
        name="x",
        ttl_ms=10_000,
        epoch=0,
        ordered_in=1,
    )
    checker = ClaimChecker()
    assert len(checker.finish([commit], 1.0)) == wrong
    assert checker.grants == 0


def test_what_a_machine_holds_and_waits_for_is_free_when_its_membership_ends() -> None:
    removed = ClaimCommit(number=2, time_ms=2000, kind="member.remove", accepted=True, ends="alpha")
    first = ClaimCommit(number=1, time_ms=1000, kind="claim.acquire", accepted=True, who=ANNA, name="n", ttl_ms=90_000)
    then = ClaimCommit(number=3, time_ms=3000, kind="claim.acquire", accepted=True, who=BERT, name="n", ttl_ms=90_000)
    late = ClaimCommit(number=4, time_ms=4000, kind="claim.acquire", accepted=False, reason="not_a_member", who=ANNA)
    assert ClaimChecker().finish([first, removed, then, late], 9.0) == []
    assert len(ClaimChecker().finish([first, then], 9.0)) == 1
    assert len(ClaimChecker().finish([first, late], 9.0)) == 1
