"""What takes too long for every day, by hand, with its figures printed. Networks and drives need Linux and root.

    python -m tests.end_to_end.long_runs detection --rounds 20     kill -9 and kill -STOP, seen by two others
    python -m tests.end_to_end.long_runs loss --seconds 300        a fifth of all packets lost, nobody called offline
    python -m tests.end_to_end.long_runs hour --seconds 3600       at rest, a message a minute: verdicts, memory, CPU
    python -m tests.end_to_end.long_runs kills --count 100         SIGKILL at random moments of a stream of messages
    python -m tests.end_to_end.long_runs folder --seconds 600      six at rest with a shared folder: writes a minute
    python -m tests.end_to_end.long_runs lag --seconds 480         no link, a folder that is late: nobody called offline
    python -m tests.end_to_end.long_runs drives --count 8000       drives that fail: told when, and how late links are

Ends with exit code 1 if something was seen that must not be.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tests.end_to_end.long_folder_runs import drives, lag, rest
from tests.helpers.fleet import Fleet, Machine, until
from tests.helpers.netlab import Lab, netlab_missing
from tests.helpers.recorder import Recorder

__all__ = ["main"]

NAMES: Final = ("alice", "berta", "carla")
PORT: Final = 47600
LOSS_PERCENT: Final = 20
ROUND_S: Final = 16.0  # with three victims in turn: 2.5 comebacks a minute, where more than 3 count as flapping
WRONG: Final = frozenset({"offline", "unknown", "leaving", "conflict"})


def main() -> int:
    """Runs what the command line names; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("detection").add_argument("--rounds", type=int, default=20)
    kinds.add_parser("loss").add_argument("--seconds", type=float, default=300.0)
    kinds.add_parser("hour").add_argument("--seconds", type=float, default=3600.0)
    kinds.add_parser("kills").add_argument("--count", type=int, default=100)
    kinds.add_parser("folder").add_argument("--seconds", type=float, default=600.0)
    late = kinds.add_parser("lag")
    late.add_argument("--seconds", type=float, default=480.0)
    late.add_argument("--lag", type=float, default=90.0)
    failing = kinds.add_parser("drives")
    failing.add_argument("--count", type=int, default=8_000)
    failing.add_argument("--rounds", type=int, default=4)
    failing.add_argument("--only", default="", help="a part of the fault's name")
    chosen = parser.parse_args()
    match chosen.kind:
        case "detection":
            return detection(chosen.rounds)
        case "loss":
            return on_a_lab(chosen.seconds, LOSS_PERCENT, pause_s=1.0)
        case "hour":
            return on_a_lab(chosen.seconds, 0, pause_s=60.0)
        case "folder":
            return rest(chosen.seconds)
        case "lag":
            return lag(chosen.seconds, chosen.lag)
        case "drives":
            return drives(chosen.count, chosen.rounds, chosen.only)
        case _:
            return kills(chosen.count)


def detection(rounds: int) -> int:
    """Kills and stops one of three after the other, each time at another moment of its heartbeat.

    A round is long enough that nobody comes back so often that its changes are held back as flapping.
    """
    took: dict[str, list[float]] = {"SIGKILL": [], "SIGSTOP": []}
    with Fleet.found(*NAMES) as fleet:
        fleet.let_send()
        machines = fleet.start_all()
        fleet.until_linked()
        for number in range(rounds):
            began = time.monotonic()
            victim = machines[number % len(machines)]
            others = [machine for machine in machines if machine is not victim]
            for how in (signal.SIGKILL, signal.SIGSTOP):
                time.sleep(number / rounds)
                took[how.name] += _one_detection(victim, others, how)
                fleet.until_linked()
            time.sleep(max(0.0, ROUND_S - (time.monotonic() - began)))
    for name, seconds in took.items():
        ordered = sorted(seconds)
        print(
            f"{name}: offline after min {ordered[0]:.3f}, median {statistics.median(ordered):.3f}, "
            f"max {ordered[-1]:.3f} s ({len(ordered)} observations)"
        )
    return 0 if max(took["SIGKILL"]) <= 1 and max(took["SIGSTOP"]) <= 5 else 1


def _one_detection(victim: Machine, others: list[Machine], how: signal.Signals) -> list[float]:
    recorders = [machine.record() for machine in others]
    at_s = victim.signal(how)
    took = [_seen_offline(recorder, victim, at_s) for recorder in recorders]
    if how is signal.SIGSTOP:
        victim.signal(signal.SIGCONT)
    else:
        victim.wait_end()
        victim.start()
    for recorder in recorders:
        recorder.wait("verdict", within_s=60, since_s=at_s, machine=victim.name, state="online")
        recorder.close()
    return took


def _seen_offline(recorder: Recorder, victim: Machine, at_s: float) -> float:
    seen = recorder.wait("verdict", within_s=60, since_s=at_s, machine=victim.name, state="offline")
    return seen.at_s - at_s


def on_a_lab(seconds: float, loss_percent: int, *, pause_s: float) -> int:
    """Three computers that send each other messages, with so many packets lost; no verdict may be wrong."""
    missing = netlab_missing()
    if missing:
        print(missing, file=sys.stderr)
        return 2
    with Lab(3) as lab:
        wraps = [functools.partial(lab.argv, number) for number in range(3)]
        listens = [f"{lab.address(number)}:{PORT}" for number in range(3)]
        with Fleet.found(*NAMES, wraps=wraps, listens=listens) as fleet:
            fleet.let_send()
            machines = fleet.start_all()
            fleet.until_linked()
            recorders = [machine.record() for machine in machines]
            for number in range(3 if loss_percent else 0):
                lab.loss(number, loss_percent)
            usage = [_usage(machine.pid) for machine in machines]
            began = time.monotonic()
            sent = _talk(machines, seconds, pause_s)
            lasted_s = time.monotonic() - began
            for number, machine in enumerate(machines):
                cpu_s, memory_mib = _usage(machine.pid)
                busy = (cpu_s - usage[number][0]) / lasted_s
                dropped = lab.dropped(number) if loss_percent else 0
                print(f"{machine.name}: CPU {busy:.2%}, memory {memory_mib:.1f} MiB, {dropped} packets dropped")
            states = Counter(
                str(seen.event.data["state"]) for recorder in recorders for seen in recorder.all("verdict")
            )
            print(f"{lasted_s:.0f} s with {loss_percent} % loss, {sent} broadcasts; verdicts: {dict(states)}")
            for number in range(3):
                lab.heal(number)
            _print_arrivals(machines, sent)
            return 1 if WRONG & states.keys() else 0


def _talk(machines: list[Machine], seconds: float, pause_s: float) -> int:
    end_s = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < end_s:
        machines[sent % len(machines)].client.send("all", f"n° {sent}", "corps")
        sent += 1
        time.sleep(min(pause_s, max(0.0, end_s - time.monotonic())))
    return sent


def _print_arrivals(machines: Iterable[Machine], sent: int) -> None:
    for machine in machines:
        wanted = sent - sum(1 for number in range(sent) if NAMES[number % len(NAMES)] == machine.name)
        took_s = until(_has(machine, wanted), 120, what=f"{wanted} messages are at {machine.name}")
        found = [row["id"] for row in machine.inbox()]
        assert len(found) == len(set(found)) == wanted
        print(f"{machine.name}: {wanted} messages, each once, {took_s:.1f} s after the end")


def _has(machine: Machine, wanted: int) -> Callable[[], bool]:
    return lambda: len(machine.inbox()) >= wanted


def _usage(pid: int) -> tuple[float, float]:
    """CPU seconds and resident MiB of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def kills(count: int) -> int:
    """The test of kills with more of them."""
    argv = [sys.executable, "-m", "pytest", "-q", "-s", "tests/end_to_end/test_bad_days.py", "-k", "sigkill"]
    return subprocess.run(argv, env={**os.environ, "ROOSYNC_TEST_KILLS": str(count)}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
