"""Join codes that are no good: the joiner reads why and what helps, its home stays as it was, the issuer counts it."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator

import pytest

from roosync_p2p import limits
from roosync_p2p.trust.invites import INVITE_ID_BYTES, JoinCode, decode_join_code, encode_join_code
from tests.helpers.fleet import ADMIN, Fleet, Machine, until


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice") as fleet:
        fleet.machines["alice"].start()
        fleet.machines["alice"].until_ready()
        yield fleet


@pytest.fixture
def alice(fleet: Fleet) -> Machine:
    return fleet.machines["alice"]


@pytest.fixture
def joiner(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    return fleet.add(f"joiner-{len(fleet.machines)}")


def _invited(alice: Machine, machine: str, *options: str) -> str:
    return alice.admin("invite", machine, *options).strip()


def _changed(code: str, **changes: object) -> str:
    decoded: JoinCode = decode_join_code(code)
    return encode_join_code(dataclasses.replace(decoded, **changes))  # type: ignore[arg-type]  # fields by name


def _refused(joiner: Machine, code: str, *options: str, exit_code: int = 1) -> dict[str, str]:
    error: dict[str, str] = joiner.refusal("join", code, *options, code=exit_code)
    assert error["remedy"]
    assert code not in str(error), "a secret was repeated"
    assert not (joiner.home / "identity").exists()
    return error


def test_without_an_outstanding_invite_the_path_is_closed(alice: Machine, joiner: Machine) -> None:
    with Fleet.found("zoe") as others:
        code = _invited(others.machines["zoe"], "any")
    error = _refused(joiner, code, "--machine", joiner.name, "--at", alice.listen)
    assert error["code"] == "issuer_unreachable"
    assert "no invite is outstanding here" in error["message"]


@pytest.mark.parametrize("what", ["a letter changed", "cut off", "empty", "noise", "far too long"])
def test_a_code_that_was_copied_badly_is_refused_before_anything_is_asked(
    alice: Machine, joiner: Machine, what: str
) -> None:
    code = _invited(alice, "any", "--ttl", "1s")
    middle = len(code) // 2
    other = "A" if code[middle] != "A" else "B"
    bad = {
        "a letter changed": code[:middle] + other + code[middle + 1 :],
        "cut off": code[:-7],
        "empty": "",
        "noise": "RS1-" + "9Z" * 40,
        "far too long": code * 40,
    }[what]
    done = joiner.run("join", bad, code=None)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "remedy" in done.stderr
    assert not (joiner.home / "identity").exists()


def test_a_code_with_another_secret_proves_nothing(alice: Machine, joiner: Machine) -> None:
    forged = _changed(_invited(alice, joiner.name), secret=os.urandom(16))
    error = _refused(joiner, forged, exit_code=5)
    assert error["code"] == "bad_proof"
    assert alice.counters()["join.bad_proof"] == 1


def test_a_code_that_nobody_made_is_unknown(alice: Machine, joiner: Machine) -> None:
    forged = _changed(_invited(alice, joiner.name), invite=os.urandom(INVITE_ID_BYTES))
    error = _refused(joiner, forged, exit_code=5)
    assert error["code"] == "invite_unknown"
    assert alice.counters()["join.invite_unknown"] == 1


def test_a_code_works_once(alice: Machine, fleet: Fleet, joiner: Machine) -> None:
    code = _invited(alice, "any")
    assert joiner.json("join", code, "--machine", joiner.name)["machine"] == joiner.name
    second = fleet.add("second")
    error = second.refusal("join", code, "--machine", "second")
    assert error["code"] == "invite_used"
    assert error["remedy"]
    assert alice.counters()["join.invite_used"] == 1
    until(lambda: joiner.name in alice.states(), 50, what="the first is a member")
    assert "second" not in alice.states()
    assert joiner.refusal("join", code, "--machine", joiner.name)["code"] == "identity_exists"


def test_an_expired_code_is_refused(alice: Machine, joiner: Machine) -> None:
    _invited(alice, "any")  # keeps the path open
    code = _invited(alice, "any", "--ttl", "1s")
    expires_s = decode_join_code(code).expires_s
    until(lambda: time.time() > expires_s + 1, 20, what="the code has expired")
    error = joiner.refusal("join", code, "--machine", joiner.name)
    assert error["code"] == "invite_expired"
    assert error["remedy"]


def test_a_code_for_another_machine_is_refused_here_and_there(alice: Machine, joiner: Machine) -> None:
    code = _invited(alice, "somebody-else")
    error = joiner.refusal("join", code, "--machine", joiner.name)
    assert error["code"] == "invite_other_machine"
    assert error["remedy"]
    assert "join.invite_other_machine" not in alice.counters(), "nobody was asked"
    error = joiner.refusal("join", _changed(code, machine=None), "--machine", joiner.name, code=5)
    assert error["code"] == "invite_other_machine"
    assert error["remedy"]
    assert alice.counters()["join.invite_other_machine"] == 1
    assert joiner.name not in alice.states()


def test_an_id_that_has_a_live_key_is_refused(alice: Machine, joiner: Machine) -> None:
    error = alice.refusal("invite", "alice", tool=ADMIN)
    assert error["code"] == "machine_exists"
    error = joiner.refusal("join", _invited(alice, "any"), "--machine", "alice")
    assert error["code"] == "machine_exists"
    assert "--machine" in error["remedy"]


def test_too_many_attempts_are_put_off(alice: Machine, fleet: Fleet) -> None:
    joiner = fleet.add("impatient")
    code = _changed(_invited(alice, "any"), invite=os.urandom(INVITE_ID_BYTES))
    for _ in range(4 * limits.JOIN_ATTEMPTS_PER_MINUTE_MAX):  # a busy computer is slow enough to be allowed some more
        error = joiner.refusal("join", code, "--machine", "impatient", "--at", alice.listen, code=None)
        if error["code"] == "issuer_unreachable":
            break
    assert f"more than {limits.JOIN_ATTEMPTS_PER_MINUTE_MAX} attempts in a minute" in error["message"]
