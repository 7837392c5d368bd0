"""A simulated fleet with a shared folder: whole nodes in virtual time, whose links can be cut one and all."""

from __future__ import annotations

from collections.abc import Sequence

from roosync_p2p.core import effects, view
from roosync_p2p.core.commands import Command, SendMessage
from roosync_p2p.core.memory_folder import MemoryFolder, MemoryShare
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import MachineId, parse_address
from roosync_p2p.liveness.verdicts import Verdict
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member
from roosync_p2p.simulation.observer import NOBODY, Nobody, Observer

__all__ = ["FolderFleet", "FolderNews"]


class FolderNews(Nobody):
    """What one machine tells of its folder: the codes of its warnings as they begin, ``ok`` when it is over."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self.codes: list[object] = []

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """See the observer."""
        if member.name == self._machine and notice.event == "folder":
            self.codes.append(notice.data.get("code", "ok"))


class FolderFleet:
    """Machines ``machine-a`` … that all have the folder.

    Args:
        letters: one machine each; the first founds the fleet.
        cut: whether no link is possible from the beginning.
    """

    def __init__(
        self,
        letters: Sequence[str] = "ab",
        *,
        cut: bool = True,
        seed: int = 1,
        start: bool = True,
        observer: Observer = NOBODY,
    ) -> None:
        names = [f"machine-{letter}" for letter in letters]
        self.fleet = Fleet(names, dice=Dice.of(seed, "folder"), folder=True, observer=observer)
        self._layers: list[int] = []
        if cut:
            self.cut()
        if start:
            for member in self.fleet.members.values():
                member.start()

    # --- parts ----------------------------------------------------------------------------------------------------

    @property
    def share(self) -> MemoryShare:
        """The medium."""
        assert self.fleet.share is not None
        return self.fleet.share

    def member(self, letter: str) -> Member:
        """One machine."""
        return self.fleet.members[f"machine-{letter}"]

    def folder(self, letter: str) -> MemoryFolder:
        """Its directory."""
        folder = self.member(letter).folder
        assert folder is not None
        return folder

    # --- what happens ---------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        self.fleet.run(seconds)

    def until_s(self, done: object, within_s: float, *, step_s: float = 0.5) -> float:
        """Lets time pass until ``done()``; the seconds it took."""
        assert callable(done)
        began_s = self.fleet.now_s
        while not done():
            assert self.fleet.now_s < began_s + within_s, f"not within {within_s} s"
            self.run(step_s)
        return self.fleet.now_s - began_s

    def cut(self) -> None:
        """Cuts every way between all machines."""
        self._layers += [self.fleet.isolate(name) for name in self.fleet.members]

    def heal(self) -> None:
        """All ways are open again."""
        for layer in self._layers:
            self.fleet.paths.remove(layer)
        self._layers.clear()

    def ask(self, letter: str, command: Command) -> list[dict[str, object] | RoosyncError]:
        """A request; its answer comes into the list."""
        answers: list[dict[str, object] | RoosyncError] = []
        self.member(letter).request(command, answers.append)
        return answers

    def send(self, sender: str, to: str, subject: str) -> None:
        """A message from one machine to another."""
        command = SendMessage(
            to=(parse_address(f"machine-{to}" if len(to) == 1 else to),),
            subject=subject,
            body="text",
            type="text",
            priority="MEDIUM",
            tags=(),
            workspace=None,
            thread_id=None,
            in_reply_to=None,
            idempotency_key=None,
            remembered=None,
        )
        self.ask(sender, command)

    # --- what is seen ---------------------------------------------------------------------------------------------

    def subjects(self, letter: str) -> list[str]:
        """What is in a machine's inboxes, oldest first."""
        page = self.member(letter).disk.inbox(InboxQuery(workspaces=None, status="all", limit=200))
        return [item.message.subject for item in reversed(page.items)]

    def verdict(self, judge: str, letter: str) -> Verdict:
        """What one machine concludes about another."""
        member = self.member(judge)
        return member.node().presence.liveness.verdict(MachineId(f"machine-{letter}"), member.clock.now())

    def status(self, letter: str) -> dict[str, object]:
        """The ``status`` of a machine."""
        core = self.member(letter).node()
        core.desk.now = self.member(letter).clock.now()
        return view.status(core)

    def folder_status(self, letter: str) -> dict[str, object]:
        """The ``folder`` in it."""
        shown = self.status(letter)["folder"]
        assert isinstance(shown, dict)
        return shown

    def warnings(self, letter: str) -> set[str]:
        """The codes of its warnings about the folder."""
        warnings = self.status(letter)["warnings"]
        assert isinstance(warnings, list)
        return {warning["code"] for warning in warnings if str(warning["code"]).startswith("folder")}

    def counted(self, letter: str, what: str) -> int:
        """A counter."""
        return self.member(letter).node().desk.counters[what]

    def files(self, letter: str, part: str = "") -> list[str]:
        """Paths of the transport's files that a machine sees, those with ``part`` in them."""
        return [path for path in sorted(self.folder(letter).files) if part in path]
