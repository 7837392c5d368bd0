"""The orderly end: others hear a farewell, nothing of the node is left, and whoever waited at its API is let go."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.helpers.fleet import Fleet, until

Report = Callable[[str, object], None]

BOUND_S: Final = 3.0
PATIENCE: Final = 10
_POSIX: Final = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    hangup = getattr(signal, "SIGHUP", None)
    # Nodes inherit it where the tests themselves run under nohup.
    before = None if hangup is None else signal.signal(hangup, signal.SIG_DFL)
    try:
        with Fleet.found("alice", "berta") as fleet:
            fleet.start_all()
            fleet.until_linked()
            yield fleet
    finally:
        if hangup is not None:
            signal.signal(hangup, before)


@pytest.mark.parametrize("how", ["down", "SIGTERM", "SIGINT", pytest.param("SIGHUP", marks=_POSIX)])
def test_an_orderly_end_is_a_farewell_to_the_others_and_to_whoever_waits_at_the_api(
    fleet: Fleet, how: str, record_property: Report
) -> None:
    alice, berta = fleet.machines.values()
    with alice.record() as events, berta.record() as open_stream:
        waiting = berta.begin("--json", "inbox", "--wait", "600")
        watching = berta.begin("--json", "status", "--watch")
        # both have asked when their first line, or their connection, is there
        assert watching.stdout is not None
        assert watching.stdout.readline()
        began = time.monotonic()
        if how == "down":
            berta.run("down")
        else:
            berta.signal(signal.Signals[how])
        code = berta.wait_end(PATIENCE * BOUND_S)
        took_s = time.monotonic() - began
        farewell = events.wait("verdict", within_s=PATIENCE * BOUND_S, since_s=began, machine="berta", state="leaving")
        record_property(f"{how}: gone after", round(took_s, 3))
        print(f"{how}: gone after {took_s:.3f} s, farewell heard after {farewell.at_s - began:.3f} s")
        assert code == 0
        assert not (berta.home / "api.json").exists()
        assert [state for _, state, _ in events.verdicts("berta")] == ["leaving"], "without an alarm before or after"
        until(lambda: open_stream.ended, 50, what="the open stream ends")
        for process in (waiting, watching):
            _out, err = process.communicate(timeout=60)
            assert b"Traceback" not in err
    assert berta.refusal("status", code=3)["code"] == "not_running"
    assert alice.states()["berta"] == "leaving"
    berta.start()
    fleet.until_linked()


@_POSIX
def test_a_node_that_was_started_with_nohup_stays(fleet: Fleet) -> None:
    berta = fleet.machines["berta"]
    berta.run("down")
    berta.wait_end(PATIENCE * BOUND_S)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        berta.start()  # inherits that
    finally:
        signal.signal(signal.SIGHUP, before)
    berta.signal(signal.SIGHUP)
    time.sleep(1)  # nothing is to happen
    assert berta.states()["berta"] == "online"


def test_a_node_goes_on_when_nobody_reads_what_it_says() -> None:
    with Fleet.found("dora") as other:
        dora = other.machines["dora"]
        process = dora.begin("up", "--no-mdns", "--listen", "127.0.0.1:0")
        assert process.stdout is not None
        process.stdout.close()
        until((dora.home / "api.json").exists, 50, what="the node is up")
        until(lambda: dora.states() == {"dora": "online"}, 50, what="and answers")
        dora.run("down")
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
