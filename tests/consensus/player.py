"""Plays text scenarios: stories with commands and what came of them (tests/consensus/scenarios/README.md).

A story is a list of paragraphs. A paragraph has comments, commands, a line ``----`` and what was seen. Playing it
again must show the same; recording writes what is seen now into the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from roosync_p2p.consensus.items import Batch, LogItem, Noop, Seat, Voters, make_item
from roosync_p2p.consensus.messages import (
    Append,
    AppendAnswer,
    Message,
    TimeoutNow,
    VoteAnswer,
    VoteRequest,
)
from roosync_p2p.consensus.raft import Status
from roosync_p2p.consensus.replication import append_own, sync_progress
from roosync_p2p.consensus.state import Refusal, Role
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.ids import LogIndex, Term
from tests.consensus.checks import Checks
from tests.consensus.cluster import EPOCH, SEAL, Cluster, Disk, Letter, seat

__all__ = ["SCENARIOS", "Player", "play"]

SCENARIOS = Path(__file__).parent / "scenarios"
RULE = "----"


def play(text: str) -> str:
    """The story with what is seen now."""
    player = Player()
    paragraphs = [paragraph for paragraph in text.strip().split("\n\n") if paragraph.strip()]
    return "\n\n".join(_played(player, paragraph) for paragraph in paragraphs) + "\n"


def _played(player: Player, paragraph: str) -> str:
    told, rule, _ = paragraph.partition(f"\n{RULE}")
    if not rule:
        return paragraph  # only narration
    commands = [line for line in told.splitlines() if line and not line.startswith("#")]
    seen = [line for command in commands for line in player.do(command)]
    return "\n".join([told, RULE, *(seen or ["(nothing)"])])


class Player:
    """The world of one story."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.checks = Checks(self.cluster)
        self.began_s = self.cluster.now_s
        self.cuts: set[tuple[str, str]] = set()
        self.tracing = False
        self.holding = False
        self.seen: list[str] = []
        self._told: dict[str, int] = {}
        self._applied: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._nodes: dict[str, object] = {}
        self.cluster.loses = self._lost

    def do(self, line: str) -> list[str]:
        """One command; what was seen."""
        word, *arguments = line.split()
        command: Callable[..., None] = getattr(self, f"_{word}_")
        command(*arguments)
        if not self.holding:
            self.cluster.settle()
        self._look()
        seen, self.seen = self.seen, []
        return seen

    # --- commands: nodes and disks --------------------------------------------------------------------------------

    def _found_(self, first: str, *others: str) -> None:
        """A fleet with these voters, the first of them leads; how it came about is told by ``bootstrap``."""
        self.cluster.found(first, others)
        self._look()
        self.seen = []
        self._voters_(first)

    def _bootstrap_(self, name: str) -> None:
        """An empty node becomes the only voter of a new fleet."""
        self.cluster.start(name).raft.bootstrap(time_ms=0, now_s=self.cluster.now_s)
        self.cluster.advance(0.0)

    def _start_(self, *names: str) -> None:
        for name in names:
            self.cluster.start(name)

    def _restored_(self, name: str) -> None:
        """Starts with another life of its store, which is empty; the old seat is known as ``old-NAME``."""
        self.cluster.seats[f"old-{name}"] = self.cluster.seats[name]
        self.cluster.seats[name] = seat(name, 2)
        self.cluster.disks[name] = Disk()
        self.cluster.start(name)

    def _crash_(self, *names: str) -> None:
        for name in names:
            self.cluster.crash(name)

    def _pause_(self, *names: str) -> None:
        """The process stands still; what is sent to it waits."""
        self.cluster.paused |= set(names)

    def _resume_(self, *names: str) -> None:
        self.cluster.paused -= set(names)

    def _slow_(self, *names: str) -> None:
        """The disks write nothing for now."""
        self.cluster.slow_disks |= set(names)

    def _fast_(self, *names: str) -> None:
        self.cluster.slow_disks -= set(names)

    def _given_(self, name: str, *arguments: str) -> None:
        """``given NAME voters A B C terms 1 1 2``: a disk whose first item makes the voters, of these terms."""
        at = arguments.index("terms")
        seats = tuple(sorted(self._seat(voter) for voter in arguments[1:at]))
        disk = self.cluster.disks.setdefault(name, Disk())
        self._seat(name)
        terms = [int(term) for term in arguments[at + 1 :]]
        for index, term in enumerate(terms, 1):
            payload = Voters(time_ms=0, replaces=LogIndex(0), voters=seats, envelope=SEAL) if index == 1 else Noop()
            disk.items.append(make_item(LogIndex(index), Term(term), payload))
        disk.hard = HardState(term=Term(terms[-1]), vote=None, epoch=EPOCH)

    def _corrupt_(self, name: str, index: str) -> None:
        """The row of that item is gone from a disk."""
        self.cluster.disks[name].items[int(index) - 1] = LogItem(LogIndex(int(index)), Term(0), b"")

    # --- commands: the network ------------------------------------------------------------------------------------

    def _cut_(self, one: str, *others: str) -> None:
        """No letters between the first and each of the others, or anybody."""
        for other in others or self.cluster.seats.keys() - {one}:
            self.cuts |= {(one, other), (other, one)}

    def _oneway_(self, sender: str, receiver: str) -> None:
        """No letters that way any more."""
        self.cuts.add((sender, receiver))

    def _heal_(self) -> None:
        self.cuts.clear()

    def _hold_(self) -> None:
        """From now on nothing is written or delivered but by command."""
        self.holding = True

    def _release_(self) -> None:
        self.holding = False

    def _collect_(self) -> None:
        """What the nodes have ready is put on its way, or queued on their disks."""
        self.cluster.collect()

    def _sync_(self, *names: str) -> None:
        """Their disks write all that is queued, and what that lets go is on its way."""
        for name in names:
            self.cluster.sync(name)
        self.cluster.collect()

    def _deliver_(self, sender: str, receiver: str) -> None:
        """The letters between these two arrive, in order."""
        for letter in self._taken(sender, receiver):
            self.cluster.deliver(letter)
        self.cluster.collect()

    def _drop_(self, sender: str, receiver: str) -> None:
        self._taken(sender, receiver)

    def _letters_(self) -> None:
        """What is on its way."""
        self.seen += [self._letter(letter) for letter in self.cluster.letters]

    def _trace_(self, what: str) -> None:
        """``trace on``: every letter that is sent is told."""
        self.cluster.sent = self._trace_letter if what == "on" else lambda _: None

    # --- commands: consensus --------------------------------------------------------------------------------------

    def _propose_(self, leader: str, *texts: str) -> None:
        self._result(self.cluster.propose(leader, *texts))

    def _add_(self, leader: str, name: str) -> None:
        self._seat(name)
        self._result(self.cluster.add(leader, name))

    def _remove_(self, leader: str, name: str) -> None:
        self._result(self.cluster.remove(leader, name))

    def _decided_(self, leader: str, index: str, verb: str, name: str) -> None:
        """``decided LEADER INDEX add|remove NAME``: a change that was decided under the configuration of INDEX."""
        raft, now_s = self.cluster.nodes[leader].raft, self.cluster.now_s
        replaces, who = LogIndex(int(index)), self._seat(name)
        if verb == "add":
            self._result(raft.change_voters(add=who, replaces=replaces, time_ms=0, now_s=now_s))
        else:
            self._result(raft.change_voters(remove=who, replaces=replaces, time_ms=0, now_s=now_s))

    def _forge_(self, leader: str, index: str, *voters: str) -> None:
        """A faulty leader appends a voter change that replaces the configuration of INDEX, without being asked."""
        state = self.cluster.nodes[leader].raft._state
        seats = tuple(sorted(self._seat(name) for name in voters))
        append_own(state, Voters(time_ms=0, replaces=LogIndex(int(index)), voters=seats, envelope=SEAL))
        sync_progress(state, self.cluster.now_s)

    def _learners_(self, leader: str, *names: str) -> None:
        seats = [self._seat(name) for name in names]
        self.cluster.nodes[leader].raft.set_learners(seats, self.cluster.now_s)

    def _transfer_(self, leader: str, to: str) -> None:
        refusal = self.cluster.nodes[leader].raft.transfer(self._seat(to), self.cluster.now_s)
        self._result(refusal)

    def _read_(self, name: str, read: str) -> None:
        self.checks.asks(read)
        self.cluster.nodes[name].raft.read(read, self.cluster.now_s)

    def _lost_(self, *names: str) -> None:
        """Their liveness says that the leader is gone."""
        for name in names:
            self.cluster.nodes[name].raft.leader_lost(self.cluster.now_s)

    def _campaign_(self, name: str) -> None:
        """Its election timer runs out now."""
        raft = self.cluster.nodes[name].raft
        raft._state.election_at = self.cluster.now_s
        raft.tick(self.cluster.now_s)

    def _tick_(self, name: str) -> None:
        """The time goes to this node's next deadline, and only it is told."""
        raft = self.cluster.nodes[name].raft
        self.cluster.now_s = max(self.cluster.now_s, raft.next_deadline() or 0.0)
        raft.tick(self.cluster.now_s)
        self.cluster.collect()

    def _gossip_(self, giver: str, taker: str) -> None:
        """All that the one applied comes to the other by gossip."""
        items = self.cluster.nodes[giver].applied
        self.cluster.nodes[taker].raft.committed(items, LogIndex(len(items)), self.cluster.now_s)

    def _run_(self, seconds: str) -> None:
        """Time passes; who becomes what is told with its time, in seconds since the story began."""
        end = self.cluster.now_s + float(seconds)
        self._look()
        while (at := self.cluster.next_deadline()) is not None and at <= end:
            self.cluster.advance(max(at - self.cluster.now_s, 0.0))
            self._look(timed=True)
        self.cluster.advance(max(end - self.cluster.now_s, 0.0))

    # --- commands: views ------------------------------------------------------------------------------------------

    def _state_(self, *names: str) -> None:
        """Term, role, log and what is committed, of these or all."""
        for name in names or sorted(self.cluster.nodes):
            node = self.cluster.nodes[name]
            log = node.raft._state.log
            terms = " ".join(str(log.term_at(LogIndex(at))) for at in range(1, log.last_index + 1))
            self.seen.append(
                f"{name}: {_status(node.raft.status)}; log [{terms}], committed {node.raft.commit}, "
                f"applied [{' '.join(self.cluster.applied(name))}]"
            )

    def _voters_(self, *names: str) -> None:
        """The configuration in force at these or all."""
        for name in names or sorted(self.cluster.nodes):
            configuration = self.cluster.nodes[name].raft.status.configuration
            self.seen.append(f"{name}: voters {_names(configuration.voters)} by item {configuration.index}")

    def _peers_(self, leader: str) -> None:
        """What a leader knows of the others."""
        for peer in self.cluster.nodes[leader].raft.peers():
            self.seen.append(f"{peer.seat.machine}: {peer.standing.value}, match {peer.match}, commit {peer.commit}")

    def _counters_(self, name: str) -> None:
        """What a node ignored, and how often."""
        self.seen += [f"{key}: {count}" for key, count in sorted(self.cluster.nodes[name].raft.counters.items())]

    # --- what is seen ---------------------------------------------------------------------------------------------

    def _look(self, *, timed: bool = False) -> None:
        self.checks.look()
        at = f"{self.cluster.now_s - self.began_s:.2f} s: " if timed else ""
        for name, node in sorted(self.cluster.nodes.items()):
            if self._nodes.get(name) is not node:
                self._nodes[name] = node
                self._told[name] = self._read[name] = 0
                self._applied[name] = len(node.applied)
            news = [text for place in range(self._told[name], len(node.told)) for text in _news(node.told, place)]
            self._told[name] = len(node.told)
            if news:
                self.seen.append(f"{at}{name}: {', then '.join(news)}")
            texts = [text for item in node.applied[self._applied[name] :] for text in _texts(item)]
            self._applied[name] = len(node.applied)
            if texts:
                self.seen.append(f"{at}{name} applied {' '.join(texts)}")
            reads = list(node.reads.items())[self._read[name] :]
            self._read[name] = len(node.reads)
            for read, index in reads:
                answer = "failed" if index is None else f"may be answered from {index} on"
                self.seen.append(f"{at}{name}: read {read} {answer}")

    def _result(self, result: LogIndex | Refusal | None) -> None:
        if isinstance(result, Refusal):
            self.seen.append(f"refused: {result.value}")
        elif result is not None:
            self.seen.append(f"item {result}")

    def _seat(self, name: str) -> Seat:
        return self.cluster.seats.setdefault(name, seat(name))

    def _lost(self, letter: Letter) -> bool:
        return (letter.sender.machine, letter.to.machine) in self.cuts

    def _taken(self, sender: str, receiver: str) -> list[Letter]:
        taken: list[Letter] = []
        kept: list[Letter] = []
        for letter in self.cluster.letters:
            between = (letter.sender.machine, letter.to.machine) == (sender, receiver)
            (taken if between else kept).append(letter)
        self.cluster.letters = kept
        return taken

    def _trace_letter(self, letter: Letter) -> None:
        self.seen.append(f"  {self._letter(letter)}")

    @staticmethod
    def _letter(letter: Letter) -> str:
        return f"{letter.sender.machine} -> {letter.to.machine}: {_message(letter.message)}"


def _status(status: Status) -> str:
    if status.role is Role.FOLLOWER and status.leader is not None:
        return f"follows {status.leader.machine} in term {status.term}"
    return f"{status.role.value} in term {status.term}"


def _news(told: list[Status], place: int) -> list[str]:
    """What is new in one status against the one before."""
    now, before = told[place], told[place - 1] if place else None
    news = []
    if before is None or (now.role, now.term, now.leader) != (before.role, before.term, before.leader):
        news.append(_status(now))
    if before is not None and now.configuration != before.configuration:
        news.append(f"voters {_names(now.configuration.voters)}")
    return news


def _names(seats: Iterable[Seat]) -> str:
    return " ".join(found.machine for found in seats) or "nobody"


def _texts(item: LogItem) -> list[str]:
    match item.payload:
        case Batch(entries=entries):
            return [found.rstrip(b"\0").decode() for found in entries]
        case Voters(voters=voters):
            return [f"voters({_names(voters)})"]
        case Noop():
            return []


def _message(message: Message) -> str:
    match message:
        case VoteRequest(term=term, pre=pre, transfer=transfer, last_index=last_index, last_term=last_term):
            kind = "pre-vote" if pre else "vote"
            why = " for a transfer" if transfer else ""
            return f"asks for a {kind} in term {term}{why}, log ends at {last_index} of term {last_term}"
        case VoteAnswer(term=term, pre=pre, granted=granted):
            return f"{'grants' if granted else 'refuses'} a {'pre-vote' if pre else 'vote'} in term {term}"
        case Append(term=term, prev_index=prev_index, prev_term=prev_term, commit=commit, items=items):
            what = f"items {items[0].index} to {items[-1].index}" if items else "nothing"
            return f"appends {what} after {prev_index} of term {prev_term}, commit {commit}, term {term}"
        case AppendAnswer(term=term, ok=True, match=match):
            return f"has all up to {match}, term {term}"
        case AppendAnswer(term=term, match=match, hint_index=hint_index, hint_term=hint_term):
            return f"has another item {match} or none; perhaps the same {hint_index} of term {hint_term}, term {term}"
        case TimeoutNow(term=term):
            return f"campaign now, term {term}"
