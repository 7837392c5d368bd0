"""Bad days of a running node: a full disk, a wrong clock, a kill at any moment."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from roosync_p2p.errors import EnvironmentFault, InputFault, NotRunningError
from tests.helpers.fleet import Fleet, Machine, until

Report = Callable[[str, object], None]

_TMPFS_MIB: Final = 6
_FAKETIME: Final = str(next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), ""))
_HOUR_S: Final = 3600
_YEAR_S: Final = 366 * 24 * _HOUR_S

_MAY_MOUNT: Final = sys.platform.startswith("linux") and os.geteuid() == 0 and bool(shutil.which("mount"))
needs_faketime = pytest.mark.skipif(not _FAKETIME, reason="libfaketime is not installed")


# --- a full disk -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    path.mkdir(mode=0o700)
    options = f"size={_TMPFS_MIB}m,mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.root
@pytest.mark.skipif(not _MAY_MOUNT, reason="mounting a small disk needs root on Linux")
def test_a_full_disk_refuses_what_is_new_and_loses_nothing(record_property: Report) -> None:
    with Fleet.found("alice") as fleet, _small_disk(fleet.path / "berta"):
        alice = fleet.machines["alice"]
        berta = fleet.add("berta")
        fleet.admit(berta)
        fleet.let_send()
        try:
            _live_through_a_full_disk(fleet, alice, berta, record_property)
        finally:
            berta.close()


def _live_through_a_full_disk(fleet: Fleet, alice: Machine, berta: Machine, record_property: Report) -> None:
    fleet.start_all()
    fleet.until_linked()
    acknowledged = [str(berta.client.send("alice", "avant", "corps")["id"])]
    ballast = berta.home / "ballast"
    with alice.record() as events:
        full_s = time.monotonic()
        _fill(ballast)
        refusal = None
        for number in range(200):  # the log has some room of its own
            try:
                sent = berta.client.send("alice", f"plein {number}", "corps " * 2000, idempotency_key=f"plein-{number}")
                acknowledged.append(str(sent["id"]))
            except EnvironmentFault as fault:
                refusal = fault
                break
            _fill(ballast)
        assert refusal is not None, "the disk was never full"
        assert refusal.code == "disk_full"
        assert "full" in refusal.message
        assert refusal.remedy
        error = berta.refusal("send", "alice", "encore", "corps")
        assert error["code"] == "disk_full"
        assert berta.warnings()["disk_full"]
        assert [row["id"] for row in berta.client.inbox(status="all")["messages"]] == []  # reading goes on
        until(
            lambda: time.monotonic() - full_s > 8 and alice.row("berta")["evidence"]["age_s"] < 3,
            30,
            what="heartbeats go on while the disk is full",
            shown=fleet.report,
        )
        until(
            lambda: alice.row("berta")["reason"] == "disk_stalled" and "machine_stalled" in alice.warnings(),
            100,
            what="the other machine says of it that its disk does not write",
            shown=fleet.report,
        )
        record_property("known to stand still after", round(time.monotonic() - full_s, 3))
        assert alice.row("berta")["state"] == "suspect"
        shown = alice.run("machines").stdout
        assert "berta lives and its disk does not write" in shown
        assert "remedy: on that machine: make room" in shown
        assert "stalled_here" not in berta.warnings()  # it says disk_full, which says more
        told = [state for _, state, _ in events.verdicts("berta")]
        assert "offline" not in told
        print(f"while the disk was full alice said of berta: {told or ['online']}")
        ballast.unlink()
        freed_s = time.monotonic()
        until(lambda: _sends(berta), 60, what="it stores again once there is room", shown=fleet.report)
        record_property("stores again after", round(time.monotonic() - freed_s, 3))
        print(f"stores again after {time.monotonic() - freed_s:.2f} s")
    until(lambda: "disk_full" not in berta.warnings(), 50, what="the warning is gone")
    retried = berta.client.send("alice", f"plein {number}", "corps " * 2000, idempotency_key=f"plein-{number}")
    acknowledged.append(str(retried["id"]))
    until(
        lambda: set(acknowledged) <= {row["id"] for row in alice.inbox()},
        50,
        what="everything that was acknowledged arrives",
        shown=fleet.report,
    )
    counts = collections.Counter(row["subject"] for row in alice.inbox())
    assert counts["avant"] == 1
    assert all(counts[f"plein {each}"] == 1 for each in range(number + 1)), counts
    assert berta.running


def _fill(ballast: Path) -> None:
    """Takes all space that is left."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def _sends(machine: Machine) -> bool:
    try:
        machine.client.send("alice", "après", "corps", idempotency_key="après")
    except EnvironmentFault:
        return False
    return True


# --- a locked database ---------------------------------------------------------------------------------------------


def test_a_database_that_another_program_locks_is_an_error_until_it_lets_go(record_property: Report) -> None:
    with Fleet.found("alice") as fleet:
        alice = fleet.machines["alice"]
        alice.start()
        alice.until_ready()
        with contextlib.closing(sqlite3.connect(alice.home / "node.db", isolation_level=None)) as browser:
            browser.execute("BEGIN IMMEDIATE")
            error = alice.refusal("send", "alice", "verrou", "corps", "--idempotency-key", "verrou")
            assert error["code"] == "store_locked"
            assert "database browser" in error["remedy"]
            assert alice.warnings()["store_locked"]
            assert alice.states()["alice"] == "online"
            browser.execute("ROLLBACK")
        freed_s = time.monotonic()
        until(lambda: "store_locked" not in alice.warnings(), 50, what="the warning is gone", shown=fleet.report)
        record_property("stores again after", round(time.monotonic() - freed_s, 3))
        alice.json("send", "alice", "verrou", "corps", "--idempotency-key", "verrou")
        assert sum(row["subject"] == "verrou" for row in alice.inbox()) == 1


# --- a wrong clock ---------------------------------------------------------------------------------------------------


def _clock(offset_s: int) -> dict[str, str]:
    return {"LD_PRELOAD": _FAKETIME, "FAKETIME": f"{offset_s:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@needs_faketime
def test_a_node_whose_clock_is_two_hours_ahead_is_online_and_says_so() -> None:
    with Fleet.found("alice", "berta", "carla") as fleet:
        alice, berta, carla = fleet.machines.values()
        alice.start()
        carla.start("--peer", alice.listen)
        berta.start("--peer", alice.listen, environ=_clock(2 * _HOUR_S))
        fleet.until_linked()
        until(
            lambda: any("7200 s ahead" in check["message"] for check in _checks(berta)),
            50,
            what="doctor tells of the clock",
            shown=lambda: _checks(berta),
        )
        check = next(check for check in _checks(berta) if check["id"] == "clock")
        assert (check["ok"], check["severity"]) == (False, "warning")
        assert "clock" in check["remedy"]
        for machine in (alice, carla):
            right = next(check for check in _checks(machine) if check["id"] == "clock")
            assert right["ok"], right
        sent = berta.client.send("alice", "du futur", "corps")
        until(lambda: any(row["id"] == sent["id"] for row in alice.inbox()), 50, what="its message arrives")
        at_s = berta.kill()
        alice.until_state("berta", "offline")
        assert time.monotonic() - at_s < 10, "a wrong clock keeps nobody alive"


@needs_faketime
@pytest.mark.parametrize(
    ("offset_s", "word"), [(2 * _YEAR_S, "expired"), (-_YEAR_S, "not valid yet")], ids=["ahead", "behind"]
)
def test_a_clock_that_is_years_off_is_named_as_the_reason(offset_s: int, word: str) -> None:
    with Fleet.found("alice", "berta") as fleet:
        alice, berta = fleet.machines.values()
        alice.start()
        berta.start("--peer", alice.listen, environ=_clock(offset_s))
        until(
            lambda: any("clock" in check["message"] and not check["ok"] for check in _checks(berta)),
            50,
            what="doctor names the clock",
            shown=lambda: f"{_checks(berta)}\n{fleet.report()}",
        )
        said = [check["message"] for check in _checks(berta) if not check["ok"]]
        assert any(word in message or "not valid now" in message for message in said), said
        assert berta.states().get("alice") != "online"
        # told once the dial failed, by whichever end refuses the other's certificate
        until(
            lambda: any("one of the two clocks is wrong" in check["message"] for check in _checks(berta)),
            50,
            what="the failed dial names the clock",
            shown=lambda: _checks(berta),
        )


def _checks(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = machine.client.doctor()["checks"]
    return found


# --- a kill at any moment --------------------------------------------------------------------------------------------

KILLS: Final = int(os.environ.get("ROOSYNC_TEST_KILLS", "4"))


def test_sigkill_at_any_moment_loses_nothing_that_was_acknowledged(record_property: Report) -> None:
    seed = int(os.environ.get("ROOSYNC_TEST_SEED", str(random.SystemRandom().randrange(2**32))))
    dice = random.Random(seed)
    print(f"seed: ROOSYNC_TEST_SEED={seed}")
    record_property("seed", seed)
    with Fleet.found("alice", "berta") as fleet:
        fleet.let_send()
        alice, berta = fleet.start_all()
        fleet.until_linked()
        acknowledged: dict[str, str] = {}
        stop = threading.Event()
        failures: list[BaseException] = []
        sender = threading.Thread(target=_send_on, args=(berta, acknowledged, stop, failures), daemon=True)
        sender.start()
        try:
            for _ in range(KILLS):
                stop.wait(dice.uniform(0.02, 0.6))
                victim = dice.choice([alice, berta, berta])
                victim.kill()
                victim.start()
        finally:
            stop.set()
            sender.join(60)
        assert not failures, failures
        alice.until_ready()
        berta.until_ready()
        record_property("acknowledged", len(acknowledged))
        print(f"{KILLS} kills, {len(acknowledged)} messages acknowledged")
        until(
            lambda: set(acknowledged.values()) <= {row["id"] for row in alice.inbox()},
            100,
            what="everything that was acknowledged arrives",
            shown=fleet.report,
        )
        subjects = collections.Counter(row["subject"] for row in alice.inbox())
        assert all(subjects[subject] == 1 for subject in acknowledged), f"seed {seed}"
        assert max(subjects.values()) == 1, f"seed {seed}: something arrived twice"
        assert "conflict" not in (alice.client.status()["state"], berta.client.status()["state"])
        assert berta.client.status()["incarnation"] == 1, "a kill is no new life"


def _send_on(
    machine: Machine, acknowledged: dict[str, str], stop: threading.Event, failures: list[BaseException]
) -> None:
    """Sends one message after the other, each until it is acknowledged, with the same key."""
    number = 0
    while not stop.is_set():
        try:
            sent = machine.client.send("alice", f"n° {number}", "corps", idempotency_key=f"clé {number}")
        except (NotRunningError, EnvironmentFault):
            stop.wait(0.02)
            continue
        except InputFault as fault:
            if fault.code != "sending_too_fast":
                failures.append(fault)
                return
            stop.wait(0.1)
            continue
        acknowledged[f"n° {number}"] = str(sent["id"])
        number += 1
