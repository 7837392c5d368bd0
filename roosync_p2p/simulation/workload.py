"""What users do: send to one and to all, answer, read, and repeat what they got no answer for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import MarkRead, SendMessage
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import ALL, Address, MessageId
from roosync_p2p.simulation.checkers.delivery import Acknowledged
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Workload"]

RETRY_S: Final = 4.0  # a user who got no answer tries again after this


@dataclasses.dataclass(slots=True)
class _Wish:
    """One thing that a user of one machine wants to say, until it is acknowledged."""

    member: Member
    command: SendMessage
    body: str
    to: tuple[Address, ...]
    done: bool = False
    gone: bool = False  # with the disk of its machine, which knew the key; nobody asks again
    tries: int = 0
    answers: int = 0


class Workload:
    """Users at every machine."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._wishes: list[_Wish] = []
        self._refused: dict[str, int] = {}

    @property
    def wishes(self) -> int:
        """How many messages users wanted to send."""
        return len(self._wishes)

    def pending(self) -> list[str]:
        """What is not acknowledged yet, of machines that run."""
        return [wish.body for wish in self._wishes if not (wish.done or wish.gone) and wish.member.running]

    def forget(self, member: Member) -> None:
        """Its disk is lost, and with it who asked there."""
        for wish in self._wishes:
            wish.gone |= wish.member is member

    def act(self) -> None:
        """One user somewhere does one thing."""
        members = self._world.fleet.running()
        if not members:
            return
        member = self._dice.choose(members)
        choice = self._dice.integer(0, 9)
        if choice <= 4:
            self.send_from(member)
        elif choice <= 6:
            self._read(member)
        elif choice <= 8:
            self._reply(member)
        else:
            self._repeat()

    def send_from(self, member: Member) -> None:
        """A new message: to one machine, to one of its workspaces, to several or to all."""
        known = sorted(machine for machine in member.node().members()) if member.running else [member.identity.machine]
        kind = self._dice.integer(0, 5)
        if kind <= 2:
            to: tuple[Address, ...] = (Address(self._dice.choose(known)),)
        elif kind == 3:
            to = (Address(self._dice.choose(known), "roosync"),)
        elif kind == 4:
            to = tuple(Address(machine) for machine in self._dice.sample(known, 2))
        else:
            to = (Address(ALL),)
        self._say(member, to)

    def send_to_all(self, member: Member) -> None:
        """A new message to everybody."""
        self._say(member, (Address(ALL),))

    def _say(
        self, member: Member, to: tuple[Address, ...], *, thread: str | None = None, in_reply_to: str | None = None
    ) -> None:
        number = len(self._wishes)
        command = SendMessage(
            to=to,
            subject=f"wish {number}",
            body=f"wish {number} of {member.name}",
            type="text",
            priority=self._dice.choose(("LOW", "MEDIUM", "MEDIUM", "URGENT")),
            tags=(),
            workspace=None,
            thread_id=thread,
            in_reply_to=None if in_reply_to is None else MessageId(in_reply_to),
            idempotency_key=f"key-{number}",
            remembered=None,
        )
        wish = _Wish(member=member, command=command, body=command.body, to=to)
        self._wishes.append(wish)
        self._ask(wish)

    def retry_all(self) -> None:
        """Everything that is not acknowledged is said again, now."""
        for wish in self._wishes:
            if not wish.done:
                self._ask(wish)

    def _ask(self, wish: _Wish) -> None:
        member = wish.member
        if wish.gone:
            return
        wish.tries += 1
        if member.running and not member.paused:
            assert wish.command.idempotency_key is not None
            remembered = member.disk.idempotency(wish.command.idempotency_key)
            command = dataclasses.replace(wish.command, remembered=remembered)
            member.request(command, lambda result: self._answered(wish, result))
        if wish.tries < 4:
            self._world.later(RETRY_S * wish.tries, lambda: None if wish.done else self._ask(wish))

    def _answered(self, wish: _Wish, result: dict[str, object] | RoosyncError) -> None:
        if isinstance(result, RoosyncError):
            self._refused[result.code] = self._refused.get(result.code, 0) + 1
            return
        wish.done = True
        wish.answers += 1
        entry = str(result["entry"])
        world = self._world
        world.messages += wish.answers == 1
        world.watch.durability.told_answer(wish.member.name, entry)
        world.watch.delivery.acknowledged(
            Acknowledged(
                at_s=world.fleet.now_s,
                member=wish.member.name,
                machine=wish.member.identity.machine,
                entry=entry,
                message_id=str(result["id"]),
                key=str(wish.command.idempotency_key),
                body=wish.body,
                boxes=self._boxes(wish),
            )
        )

    def _boxes(self, wish: _Wish) -> tuple[tuple[str, str], ...]:
        me = wish.member.identity.machine
        named = any(address.machine == me for address in wish.to)
        machines = [machine for machine in self._world.fleet.keys.identities if machine != me or named]
        return tuple(
            sorted(
                {
                    (machine, address.workspace or "")
                    for address in wish.to
                    for machine in machines
                    if address.reaches(machine)
                }
            )
        )

    def _read(self, member: Member) -> None:
        for item in member.disk.inbox(InboxQuery(limit=5)).items:
            boxes = tuple(row.workspace for row in member.disk.deliveries(item.message.entry))
            command = MarkRead(message=item.message.entry, author=item.message.author, workspaces=boxes)
            member.request(command, lambda _result: None)

    def _reply(self, member: Member) -> None:
        items = member.disk.inbox(InboxQuery(status=None, limit=10)).items
        if items:
            message = self._dice.choose(items).message
            self._say(member, (Address(message.author),), thread=message.thread_id, in_reply_to=message.message_id)

    def _repeat(self) -> None:
        """A user repeats something that was acknowledged long ago."""
        done = [wish for wish in self._wishes if wish.done and wish.member.running and not wish.member.paused]
        if done:
            wish = self._dice.choose(done)
            wish.tries = 9
            self._ask(wish)
