"""A fleet that orders, and loses its majority: what tests of epochs do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from roosync_p2p.consensus.items import Seat
from roosync_p2p.core.commands import Recover
from roosync_p2p.core.effects import Notify, PublishFiles
from roosync_p2p.core.rows import Row
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import MachineId
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Recovery, seal_statement
from tests.helpers.ordered_fleet import OrderedFleet, acquire

__all__ = ["Answers", "Stage"]

Answers = list[dict[str, Any] | RoosyncError]
STEP_S = 0.25


class Events:
    """An observer that keeps what the nodes told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, object]]] = []

    def notified(self, member: Member, notice: Notify) -> None:
        self.told.append((member.name, notice.event, notice.data))

    def wrote(self, member: Member, rows: tuple[Row, ...]) -> None:
        """Not watched."""

    def sent(self, member: Member, frame: bytes) -> None:
        """Not watched."""

    def published(self, member: Member, job: PublishFiles, directory: Directory) -> None:
        """Not watched."""

    def looked(self, member: Member) -> None:
        """Not watched."""

    def dialled(self, member: Member, address: str) -> None:
        """Not watched."""

    def handled(self, member: Member) -> None:
        """Not watched."""

    def crashed(self, member: Member) -> None:
        """Not watched."""


class Stage(OrderedFleet):
    """The fleet and what tests do with it.

    Args:
        machines: the first founds the fleet. All of them are admitted in the order, and start.
        voters: how many of them vote.
        later: machines that may be admitted with :meth:`admit`.
    """

    def __init__(self, *machines: str, voters: int, later: Sequence[str] = ()) -> None:
        self.events = Events()
        super().__init__(*machines, voters=machines[1:voters], autopilot=False, later=later, observer=self.events)
        self.until(lambda: self.alike(*machines))

    # --- who and what ---------------------------------------------------------------------------------------------

    def number(self, name: str) -> int:
        """How far it is."""
        return self.log(name).applier.number

    def seat(self, name: str) -> Seat:
        """Its seat."""
        seat = self.log(name).order.me
        assert seat is not None
        return seat

    def leads(self, name: str) -> bool:
        """Whether it leads."""
        return self.member(name).running and self.log(name).order.leads

    def kinds(self, name: str, first: int = 1) -> list[str]:
        """The kinds of what has a number on a machine's disk, from one on."""
        return [row.kind for row in self.commits(name)[first - 1 :]]

    def outcomes(self, name: str, first: int = 1) -> list[tuple[str, str]]:
        """Kind and reason, from a number on."""
        return [(row.kind, row.reason) for row in self.commits(name)[first - 1 :]]

    def told(self, name: str, event: str) -> list[dict[str, Any]]:
        """What a machine told of that kind."""
        return [data for who, what, data in self.events.told if (who, what) == (name, event)]

    def alike(self, *names: str) -> bool:
        """Whether they are equally far in one epoch, with equal states and trees."""
        logs = [self.log(name) for name in names]
        return len({(log.order.epoch, log.applier.number, log.state.digest, log.applier.root) for log in logs}) == 1

    # --- time -----------------------------------------------------------------------------------------------------

    def until(self, happened: Callable[[], bool], seconds: float = 30.0) -> None:
        """Lets time pass until something is so."""
        for _ in range(round(seconds / STEP_S)):
            if happened():
                return
            self.run(STEP_S)
        assert happened(), f"not within {seconds} s"

    def until_ms(self, happened: Callable[[], bool], seconds: float = 10.0) -> None:
        """The same in steps of a fifth of a millisecond: between two steps of one node."""
        end_s = self.fleet.now_s + seconds
        while not happened():
            assert self.fleet.now_s < end_s, f"not within {seconds} s"
            self.run(0.0002)

    # --- requests -------------------------------------------------------------------------------------------------

    def claim(self, name: str, what: str, *, timeout_s: float = 600.0, key: str | None = None) -> Answers:
        """Asks for a claim; the answer comes into the list."""
        return self.ask(name, "claim.acquire", acquire(what), timeout_s=timeout_s, key=key, withdraw=True)

    def claimed(self, name: str, what: str) -> dict[str, Any]:
        """Asks for a claim, and waits for the outcome."""
        answers = self.claim(name, what)
        self.until(lambda: bool(answers))
        answer = answers[0]
        assert isinstance(answer, dict), answer
        return answer

    def admit(self, issuer: str, name: str) -> None:
        """A machine that comes later is admitted, and starts."""
        answers: Answers = []
        self.member(issuer).request(self.fleet.keys.admission(MachineId(name)), answers.append)
        self.until(lambda: bool(answers))
        self.fleet.join(name)

    # --- the last resort ------------------------------------------------------------------------------------------

    def said(self, name: str, **changed: Any) -> Recovery:
        """What the root says so that a machine goes on alone, with what it has now."""
        log = self.log(name)
        fields: dict[str, Any] = {
            "epoch": log.order.epoch + 1,
            "machine": MachineId(name),
            "store": self.seat(name).store,
            "size": log.applier.number,
            "root_hash": log.applier.root,
            "serial": bytes(16),
        }
        return Recovery(**{**fields, **changed})

    def signed(self, said: Recovery, *, key: SigningKey | None = None, author: str = "root") -> bytes:
        """The statement of the root, or of somebody else."""
        keys = self.fleet.keys
        fleet = keys.identities[keys.founder].fleet
        return seal_statement(key or keys.root_key, said, fleet=fleet, author=author)

    def recover(self, name: str, statement: bytes) -> dict[str, Any]:
        """The command, which is granted."""
        answers = self.bring(name, statement)
        self.until(lambda: bool(answers), 10)
        answer = answers[0]
        assert isinstance(answer, dict), answer
        return answer

    def bring(self, name: str, statement: bytes) -> Answers:
        """The command; its answer comes into the list."""
        answers: Answers = []
        self.member(name).request(Recover(statement=statement), answers.append)
        return answers

    def power_off(self, names: Iterable[str]) -> None:
        """These are gone."""
        for name in names:
            self.fleet.power_off(name)

    def partition(self, group: Sequence[str]) -> int:
        """Cuts a group off; the layer is for :meth:`heal`."""
        return self.fleet.partition(group)

    def heal(self, layer: int) -> None:
        """The group is back."""
        self.fleet.paths.remove(layer)
