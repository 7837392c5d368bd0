"""Text scenarios: what happens to a fleet and what is expected of it, line by line, for people (docs/simulation.md §3).

    fleet alpha beta gamma          the machines; the first founds the fleet and issues certificates
    start all
    run 5
    kill beta
    expect alpha sees beta offline within 1

Quotes work as in a shell, ``#`` begins a comment. The same text gives the same run.
"""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

from roosync_p2p.core import effects
from roosync_p2p.core.rows import Row
from roosync_p2p.errors import UsageError
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.expectations import Expectations
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.verbs import Verbs
from roosync_p2p.trust.directory import Directory

__all__ = ["Result", "play", "play_file"]


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """``failures``: expectations that were not met, with their lines; ``log``: what the nodes told, with the time."""

    failures: tuple[str, ...]
    log: tuple[str, ...]


class _Log:
    """Keeps what nodes put on their event streams."""

    def __init__(self) -> None:
        self.fleet: Fleet | None = None
        self.lines: list[str] = []
        self.verdicts: list[tuple[str, str, str]] = []  # judge, machine, state

    def wrote(self, member: Member, rows: tuple[Row, ...]) -> None:
        """Not of interest here."""

    def sent(self, member: Member, frame: bytes) -> None:
        """Not of interest here."""

    def published(self, member: Member, job: effects.PublishFiles, directory: Directory) -> None:
        """Not of interest here."""

    def looked(self, member: Member) -> None:
        """Not of interest here."""

    def dialled(self, member: Member, address: str) -> None:
        """Not of interest here."""

    def handled(self, member: Member) -> None:
        """Not of interest here."""

    def crashed(self, member: Member) -> None:
        """Worth a line."""
        self._line(member, "is gone")

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """Worth a line, but for frontiers, which move with every message."""
        if notice.event == "verdict":
            self.verdicts.append((member.name, str(notice.data["machine"]), str(notice.data["state"])))
        if notice.event != "frontier":
            said = ", ".join(f"{key} {value}" for key, value in notice.data.items())
            self._line(member, f"{notice.event}: {said}")

    def _line(self, member: Member, text: str) -> None:
        assert self.fleet is not None
        self.lines.append(f"{self.fleet.now_s:9.3f} {member.name}: {text}")


def play_file(path: Path) -> Result:
    """Plays the scenario in a file.

    Raises:
        UsageError: a line is not understood; it names the line.
    """
    return play(path.read_text("utf-8"))


def play(text: str) -> Result:
    """Plays a scenario.

    Raises:
        UsageError: a line is not understood; it names the line.
    """
    log = _Log()
    verbs: Verbs | None = None
    failures: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        try:
            if words[0] == "fleet":
                verbs = Verbs(_founded(words[1:], log))
            elif verbs is None:
                raise UsageError("the first line names the fleet: fleet alpha beta gamma")
            elif words[0] == "expect":
                failure = Expectations(verbs, log.verdicts).check(words[1:])
                failures += [f"line {number}: {line.strip()}: {failure}"] if failure else []
            else:
                verbs.do(words)
        except (UsageError, KeyError, ValueError, IndexError) as error:
            raise UsageError(f"line {number}: {line.strip()}: {error}", code="bad_scenario") from error
    return Result(tuple(failures), tuple(log.lines))


def _founded(words: list[str], log: _Log) -> Fleet:
    """``fleet a b c [later d]``: the machines after *later* are admitted while the scenario runs."""
    later = words.index("later") if "later" in words else len(words)
    machines = [word for word in words if word != "later"]
    fleet = Fleet(machines, dice=Dice.of(0, "scenario"), admitted=later, observer=log)
    log.fleet = fleet
    return fleet
