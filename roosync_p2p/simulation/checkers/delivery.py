"""Every acknowledged message is in every addressee's inbox exactly once, unaltered and in its author's order."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Acknowledged", "Delivered", "DeliveryChecker"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A node told its user that a message is sent.

    ``key`` is the idempotency key; ``boxes`` are (machine, workspace) of every inbox it belongs into.
    """

    at_s: float
    member: str
    machine: str
    entry: str
    message_id: str
    key: str
    body: str
    boxes: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A message in an inbox, in the order of arrival. ``place`` is (author, incarnation, sequence).

    ``lane``: urgent messages and others are numbered apart, so only within one of them is there an order of arrival.
    """

    entry: str
    place: tuple[str, int, int]
    workspace: str
    body: str
    lane: int = 0


class DeliveryChecker:
    """Fed with acknowledgements during the run and with the inboxes after convergence."""

    def __init__(self) -> None:
        self._acknowledged: list[Acknowledged] = []
        self._by_key: dict[tuple[str, str], Acknowledged] = {}
        self._excused: set[str] = set()
        self._answers: list[tuple[Acknowledged, Acknowledged]] = []  # different ones to one key

    def acknowledged(self, message: Acknowledged) -> None:
        """An answer reached the user. The same key must give the same message for ever."""
        first = self._by_key.setdefault((message.member, message.key), message)
        if first.entry != message.entry:
            self._answers.append((first, message))
        if first is message or first.entry != message.entry:
            self._acknowledged.append(message)

    def excused(self, entries: Iterable[str]) -> None:
        """These were lost or set aside with a disk that was restored or copied; each such loss is shown to people."""
        self._excused.update(entries)

    def entries_since(self, machine: str, at_s: float) -> set[str]:
        """What the members with that machine's home were acknowledged since a moment."""
        return {message.entry for message in self._acknowledged if message.machine == machine and message.at_s >= at_s}

    def all(self) -> tuple[Acknowledged, ...]:
        """Every message that was acknowledged."""
        return tuple(self._acknowledged)

    def count(self) -> int:
        """How many different messages were acknowledged."""
        return len(self._acknowledged)

    def missing(self, inboxes: Mapping[tuple[str, str], Sequence[Delivered]], *, since: int) -> list[str]:
        """Which of the messages that were acknowledged after the first ``since`` are not in an inbox yet."""
        found = []
        for (member, machine), inbox in sorted(inboxes.items()):
            held = {(item.entry, item.workspace) for item in inbox}
            for message in self._acknowledged[since:]:
                boxes = [box for box in message.boxes if box[0] == machine and message.entry not in self._excused]
                if any((message.entry, workspace) not in held for _, workspace in boxes):
                    found.append(f"{message.message_id} of {message.member} is not in the inbox of {member}")
        return found

    def finish(self, inboxes: Mapping[tuple[str, str], Sequence[Delivered]], at_s: float) -> list[Violation]:
        """The verdict; ``inboxes`` by (member, machine) of every member that runs."""
        violations: list[Violation] = []

        def wrong(text: str) -> None:
            violations.append(Violation(checker="delivery", at_s=at_s, text=text))

        for first, then in self._answers:
            if first.entry not in self._excused:
                wrong(f"{then.member} answered key {then.key} with {first.message_id}, then {then.message_id}")
        for (member, machine), inbox in sorted(inboxes.items()):
            held = collections.Counter((item.entry, item.workspace) for item in inbox)
            bodies = {item.entry: item.body for item in inbox}
            for message in self._acknowledged:
                if message.entry in self._excused:
                    continue
                for box in message.boxes:
                    if box[0] == machine and (message.entry, box[1]) not in held:
                        wrong(f"{message.message_id} of {message.member} is not in the inbox of {member}")
                if message.entry in bodies and bodies[message.entry] != message.body:
                    wrong(f"{message.message_id} of {message.member} has another body at {member}")
            for (entry, workspace), count in held.items():
                if count != 1:
                    wrong(f"{entry} is {count} times in the inbox {workspace!r} of {member}")
            for body, entries in _twice(inbox).items():
                if not entries <= self._excused:
                    wrong(f"{body!r} was sent once and is in the inbox of {member} as {len(entries)} messages")
            for earlier, later in _out_of_order(inbox):
                wrong(f"{member} received {later.place} before {earlier.place} of the same author")
        return violations


def _twice(inbox: Sequence[Delivered]) -> dict[str, set[str]]:
    by_body: dict[str, set[str]] = {}
    for item in inbox:
        by_body.setdefault(item.body, set()).add(item.entry)
    return {body: entries for body, entries in by_body.items() if len(entries) > 1}


def _out_of_order(inbox: Sequence[Delivered]) -> list[tuple[Delivered, Delivered]]:
    last: dict[tuple[str, int, int], Delivered] = {}
    wrong = []
    for item in inbox:
        group = (item.place[0], item.place[1], item.lane)
        before = last.get(group)
        if before is not None and before.place > item.place:
            wrong.append((item, before))
        last[group] = item
    return wrong
