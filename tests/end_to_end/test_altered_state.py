"""A disk that changed what it kept, and a machine that came to another outcome than the others: both are told.

A state that was changed by itself does not give the digest that stands beside it. One that was changed together with
its digest is what a machine with another program, or a fault in its memory, would have: only the others can tell. The
commits that led there are read over after each start.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest

from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.commit.applier import META, Progress
from roosync_p2p.ledger.state import State
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import Fleet, Machine, until

Report = Callable[[str, object], None]

BOUND_S: Final = 10.0
PATIENCE: Final = 10


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "clara") as fleet:
        fleet.start_all()
        fleet.until_linked()
        alice, berta, _ = fleet.machines.values()
        until(lambda: _size(berta) >= 7, 50, what="all are members", shown=fleet.report)
        alice.run("claim", "issue-1")
        decision = alice.json("decision", "propose", "Python 3.13", "--target", "all", "--remove", "file:TODO")
        alice.run("decision", "approve", decision["id"])
        yield fleet


def _size(machine: Machine) -> int:
    size: int = machine.client.status()["commit"]["size"]
    return size


def _digest(machine: Machine) -> str:
    digest: str = machine.client.status()["commit"]["digest"]
    return digest


@contextlib.contextmanager
def _database(machine: Machine) -> Iterator[sqlite3.Connection]:
    """Of a node that does not run."""
    assert not machine.running
    with contextlib.closing(sqlite3.connect(machine.home / "node.db")) as database, database:
        yield database


def _until_alike(fleet: Fleet) -> None:
    until(
        lambda: len({(_size(machine), _digest(machine)) for machine in fleet.running()}) == 1,
        50,
        what="all have the same state",
        shown=fleet.report,
    )


def _until_told(machine: Machine, code: str, digests: list[str]) -> float:
    """Waits for a warning that names all of these; the seconds that took."""

    def told() -> bool:
        message = machine.warnings().get(code, "")
        return all(digest[:16] in message for digest in digests)

    return until(
        told,
        PATIENCE * BOUND_S,
        what=f"{machine.name} warns of {code} with {digests}",
        shown=lambda: f"{machine.warnings()}\n{machine.log()}",
    )


# --- a byte on a disk ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["claim", "outcomes"])
def test_a_byte_that_flipped_on_a_stopped_disk_is_told_with_both_digests_and_mended(
    fleet: Fleet, table: str, record_property: Report
) -> None:
    alice, berta, _ = fleet.machines.values()
    _until_alike(fleet)
    right = _digest(berta)
    berta.stop()
    with _database(berta) as database:
        key, value = database.execute("SELECT key, value FROM state WHERE key GLOB ?", (f"{table}*",)).fetchone()
        database.execute("UPDATE state SET value = ? WHERE key = ?", (value[:-1] + bytes([value[-1] ^ 1]), key))
        wrong = State.load(database.execute("SELECT key, value FROM state").fetchall()).digest.hex()
    assert wrong != right
    began = time.monotonic()
    berta.start("--peer", alice.listen)
    _until_told(berta, "ledger_changed", [right, wrong])
    took_s = time.monotonic() - began
    record_property(f"{table}: told after", round(took_s, 3))
    print(f"a byte of {key} flipped: told {took_s:.3f} s after the start")
    assert took_s < BOUND_S
    assert berta.client.status()["state"] == "diverged"
    fleet.until_linked()
    _until_alike(fleet)
    assert "ledger_diverged" not in alice.warnings(), "it never told others of the wrong state"
    number = alice.json("claim", f"after-{table}")["token"]
    until(lambda: _size(berta) >= number, 50, what="it goes on", shown=berta.log)
    _until_alike(fleet)
    berta.stop()
    berta.start("--peer", alice.listen)
    berta.until_ready()
    assert "ledger_changed" not in berta.warnings(), "the disk is right again"


# --- the log of what was applied -------------------------------------------------------------------------------------


ALTERED: Final = {
    "a byte of a detail": ["UPDATE commits SET detail = CAST(x'00' || substr(detail, 2) AS BLOB) WHERE number = 2"],
    "no text any more": ["UPDATE commits SET kind = CAST(x'ff' || substr(kind, 2) AS TEXT) WHERE number = 2"],
    "one is gone": ["DELETE FROM commits WHERE number = 4"],
    "two have changed places": [
        "UPDATE commits SET number = -2 WHERE number = 2",
        "UPDATE commits SET number = 2 WHERE number = 3",
        "UPDATE commits SET number = 3 WHERE number = -2",
    ],
}


@pytest.mark.parametrize("how", [*list(ALTERED)[:2], *(pytest.param(how, marks=by_hand) for how in list(ALTERED)[2:])])
def test_an_altered_commit_on_a_stopped_disk_is_told_with_both_digests_and_mended_by_the_next_start(
    fleet: Fleet, how: str, record_property: Report
) -> None:
    alice, berta, _ = fleet.machines.values()
    _until_alike(fleet)
    berta.stop()
    with _database(berta) as database:
        right = database.execute("SELECT * FROM commits ORDER BY number").fetchall()
        for statement in ALTERED[how]:
            assert database.execute(statement).rowcount == 1
    began = time.monotonic()
    berta.start("--peer", alice.listen)
    until(lambda: "commits_changed" in berta.warnings(), PATIENCE * BOUND_S, what="it is told", shown=berta.log)
    took_s = time.monotonic() - began
    record_property(f"{how}: told after", round(took_s, 3))
    print(f"{how}: told {took_s:.3f} s after the start")
    assert took_s < BOUND_S
    assert len(set(re.findall(r"[0-9a-f]{16}…", berta.warnings()["commits_changed"]))) == 2
    assert berta.client.status()["state"] == "diverged"
    told = berta.run("doctor", code=1).stdout
    assert "commits_changed" in told
    assert "`roosync up`" in told
    _until_alike(fleet)
    berta.stop()
    berta.start("--peer", alice.listen)
    _until_alike(fleet)
    assert "commits_changed" not in berta.warnings()
    berta.stop()
    with _database(berta) as database:
        assert database.execute("SELECT * FROM commits ORDER BY number").fetchall()[: len(right)] == right
    berta.start("--peer", alice.listen)
    fleet.until_linked()


# --- another outcome -------------------------------------------------------------------------------------------------


def test_another_outcome_on_one_machine_is_told_by_all_with_both_digests_at_the_next_commit_or_before(
    fleet: Fleet, record_property: Report
) -> None:
    alice, berta, clara = fleet.machines.values()
    _until_alike(fleet)
    berta.stop()
    with _database(berta) as database:
        _refuse_in_hindsight(database)
    with contextlib.ExitStack() as stack:
        heard = [stack.enter_context(machine.record()) for machine in (alice, clara)]
        berta.start("--peer", alice.listen)
        heard.append(stack.enter_context(berta.record()))
        fleet.until_linked()
        began = time.monotonic()
        number = alice.json("claim", "after another outcome")["token"]
        until(lambda: _size(berta) >= number, 50, what="berta applies it too", shown=berta.log)
        assert _digest(alice) == _digest(clara) != _digest(berta)
        for recorder, mine in zip(heard, (alice, clara, berta), strict=True):
            seen = recorder.wait("alarm", within_s=PATIENCE * BOUND_S, code="ledger_diverged")
            told: dict[str, Any] = dict(seen.event.data)
            print(f"{mine.name}: told {seen.at_s - began:+.3f} s after the commit, of number {told['number']}")
            record_property(f"{mine.name} told after", round(seen.at_s - began, 3))
            assert seen.at_s - began < BOUND_S
            assert told["machine"] in (("alice", "clara") if mine is berta else ("berta",))
            assert told["mine"] != told["theirs"]
            assert told["mine"][:16] in told["message"]
            assert told["theirs"][:16] in told["message"]
    for machine in (alice, berta, clara):
        assert "ledger_diverged" in machine.warnings()
        assert machine.client.status()["state"] == "diverged"


def _refuse_in_hindsight(database: sqlite3.Connection) -> None:
    """The state and the digest of a machine that had refused the claim which all others accepted."""
    database.execute("DELETE FROM state WHERE key = 'claim/issue-1'")
    database.execute("UPDATE state SET value = zeroblob(length(value)) WHERE key = 'outcomes'")
    digest = State.load(database.execute("SELECT key, value FROM state").fetchall()).digest
    (stored,) = database.execute("SELECT value FROM meta WHERE key = ?", (META,)).fetchone()
    progress = msgspec.structs.replace(decode(stored, Progress), digest=digest)
    database.execute("UPDATE meta SET value = ? WHERE key = ?", (encode(progress), META))
