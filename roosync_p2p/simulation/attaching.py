"""Users that send files along: they have to arrive whole through every fault, and to go with their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.core import inputs
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.mail_commands import Retain, SendMessage
from roosync_p2p.core.ports import Aged
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import ALL, Address, EntryId
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.simulation import inspection
from roosync_p2p.simulation.checkers.attachments import Attached, AttachmentChecker
from roosync_p2p.simulation.checkers.delivery import Acknowledged
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Attaching"]

SIZES: Final = (0, 7, limits.BLOB_CHUNK_BYTES_MIN, 50_000, 200_000)
DROPPED_S: Final = 1.0  # a drop is one commit, and a job behind it
FORGOTTEN_S: Final = 2 * limits.BLOB_LOOK_S  # helpers look so often whether anybody still needs them


class Attaching:
    """The files of one world; few worlds have any, because they cost."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._number = 0
        self.checker = AttachmentChecker()

    def plan(self, first_s: float, last_s: float) -> None:
        """Some files between these moments, if this is such a world."""
        if self._dice.chance(self._world.plan.attachments_chance):
            for _ in range(self._dice.integer(2, 6)):
                self._world.later(self._dice.between(first_s, last_s), self._act)

    def _act(self) -> None:
        members = [member for member in self._world.fleet.running() if not member.paused]
        if not members:
            return
        member = self._dice.choose(members)
        self._number += 1
        data = self._dice.entropy(f"file {self._number}").bytes(self._dice.choose(SIZES))
        digest = member.blobs.put(data)
        member.feed(inputs.BlobAdded(digest=digest, size=len(data)))
        if not member.running:
            return
        known = sorted(member.node().members())
        to = (Address(ALL),) if self._dice.chance(0.25) else tuple(Address(m) for m in self._dice.sample(known, 1))
        command = SendMessage(
            to=to,
            subject=f"file {self._number}",
            body=f"file {self._number} of {member.name}",
            type="text",
            priority="MEDIUM",
            tags=(),
            workspace=None,
            thread_id=None,
            in_reply_to=None,
            idempotency_key=f"file-{self._number}",
            remembered=None,
            attachments=(Attachment(name="a.log", size=len(data), sha256=digest),),
        )
        member.request(command, lambda result: self._answered(member, command, data, result))

    def _answered(
        self, member: Member, command: SendMessage, data: bytes, result: dict[str, object] | RoosyncError
    ) -> None:
        if isinstance(result, RoosyncError):
            return
        me, world = str(member.identity.machine), self._world
        machines = [str(machine) for machine in world.fleet.keys.identities]
        reached = {m for m in machines if any(address.reaches(m) for address in command.to)}  # type: ignore[arg-type]  # ids
        named = any(address.machine == me for address in command.to)
        world.watch.active["attachment"] += 1
        world.watch.durability.told_answer(member.name, str(result["entry"]))
        world.watch.delivery.acknowledged(
            Acknowledged(
                at_s=world.fleet.now_s,
                member=member.name,
                machine=me,
                entry=str(result["entry"]),
                message_id=str(result["id"]),
                key=str(command.idempotency_key),
                body=command.body,
                boxes=tuple(sorted((machine, "") for machine in reached if machine != me or named)),
            )
        )
        self.checker.acknowledged(
            Attached(
                entry=str(result["entry"]),
                author=me,
                machines=frozenset(reached - {me}),
                digest=command.attachments[0].sha256,
                data=data,
            )
        )

    # --- the end ------------------------------------------------------------------------------------------------------

    def missing(self) -> list[str]:
        """What is not where it is for yet."""
        return self.checker.missing(self._disks(), self._excused())

    def finish(self) -> None:
        """After convergence: everything is where it is for, and in few other places."""
        world = self._world
        if not self.checker.all():
            return
        world.fleet.run(FORGOTTEN_S)
        for member in world.fleet.running():
            # Until now nothing goes but what was kept for others.
            world.watch.active["attachment kept for others"] += member.node().desk.counters["blobs.dropped"] > 0
        silent = {str(m.identity.machine) for m in world.fleet.running() if not _may_write(m)}
        world.watch.found(self.checker.finish(self._disks(), self._excused(), world.fleet.now_s, silent=silent))

    def drop(self) -> None:
        """Last of all a message's body goes everywhere by its age, and its file has to go with it."""
        world = self._world
        if not self.checker.all():
            return
        gone = self._dice.choose(self.checker.all())
        if gone.entry in self._excused():
            return
        command = Retain(aged=Aged(archive=(), expire=(), drop=(EntryId(bytes.fromhex(gone.entry)),)))
        for member in world.fleet.running():
            member.request(command, lambda _result: None)
        world.fleet.run(DROPPED_S)
        world.watch.found(self.checker.dropped(gone.entry, self._disks(), world.fleet.now_s))

    def _disks(self) -> dict[str, dict[bytes, bytes]]:
        found = {}
        for member in self._world.fleet.insiders():
            if member.running:
                contents = {digest: member.blobs.content(digest) or b"" for digest in member.blobs.whole()}
                found[str(member.identity.machine)] = contents
        return found

    def _excused(self) -> set[str]:
        return inspection.excused(self._world) | self._world.keys.excused()


def _may_write(member: Member) -> bool:
    return member.node().authorship.phase is Phase.READY
