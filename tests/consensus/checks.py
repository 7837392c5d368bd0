"""What must hold of every history of a Raft (Raft paper, figure 3), looked at after each step.

Log matching is kept by one table: an item is known by its index and term, and the same index and term must always mean
the same bytes behind the same previous term. By induction the logs up to there are the same.
"""

from __future__ import annotations

from collections.abc import Hashable

from roosync_p2p.consensus.items import LogItem, Seat, Voters
from roosync_p2p.consensus.log import Configuration
from roosync_p2p.consensus.state import Role
from roosync_p2p.ids import LogIndex, Term
from tests.consensus.cluster import Cluster, Node

__all__ = ["Checks", "Violation"]


class Violation(AssertionError):
    """A promise was broken; the name of the promise comes first."""


class Checks:
    """The memory of one history."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.leaders: dict[Term, Seat] = {}
        self.items: dict[tuple[LogIndex, Term], tuple[bytes, Term]] = {}
        self.committed: list[LogItem] = []
        self.asked: dict[Hashable, int] = {}
        self._known: dict[Seat, tuple[object, int, Term]] = {}
        self._applied: dict[Seat, tuple[object, int]] = {}
        self._complete: dict[Term, int] = {}

    def look(self) -> None:
        """Everything, at this moment."""
        for node in self.cluster.nodes.values():
            self._log(node)
        for node in self.cluster.nodes.values():
            self._committed(node)
            self._applied_the_same(node)
        for node in self.cluster.nodes.values():
            self._elected(node)
        for node in self.cluster.nodes.values():
            self._complete_log(node)
            self._reads(node)

    def asks(self, read: Hashable) -> None:
        """A read is asked now: it must not be answered from before what anybody has committed by now."""
        self.asked[read] = len(self.committed)

    def _log(self, node: Node) -> None:
        log = node.raft._state.log
        known = self._known.get(node.me)
        first = 1
        if known is not None and known[0] is node.raft and log.matches(LogIndex(known[1]), known[2]):
            first = known[1] + 1
        for index in range(first, log.last_index + 1):
            item = log.item(LogIndex(index))
            content = item.data, log.term_at(LogIndex(index - 1))
            if self.items.setdefault((item.index, item.term), content) != content:
                raise Violation(f"log matching: {node.me} has another item {index} of term {item.term}")
        if first <= log.last_index or known is None or known[1] > log.last_index:
            self._configured(node)
        self._known[node.me] = (node.raft, log.last_index, log.last_term)

    def _configured(self, node: Node) -> None:
        """The voters are those that walking the log from its first item gives."""
        log, index = node.raft._state.log, LogIndex(0)
        voters: tuple[Seat, ...] = ()
        for at in range(1, log.last_index + 1):
            payload = log.item(LogIndex(at)).payload
            if isinstance(payload, Voters) and payload.replaces == index:
                index, voters = LogIndex(at), payload.voters
        if log.configuration != Configuration(index, voters):
            raise Violation(f"configuration: {node.me} goes by item {log.configuration.index}, not {index}")

    def _committed(self, node: Node) -> None:
        log, commit = node.raft._state.log, node.raft.commit
        for index in range(len(self.committed) + 1, commit + 1):
            self.committed.append(log.item(LogIndex(index)))
        if commit and log.last_index >= commit and log.item(commit) != self.committed[commit - 1]:
            raise Violation(f"commit safety: {node.me} has another item {commit} than was committed")

    def _applied_the_same(self, node: Node) -> None:
        before = self._applied.get(node.me)
        first = before[1] if before is not None and before[0] is node else node.loaded
        for item in node.applied[first:]:
            if item != self.committed[item.index - 1]:
                raise Violation(f"state machine safety: {node.me} applied another item {item.index}")
        self._applied[node.me] = (node, len(node.applied))

    def _elected(self, node: Node) -> None:
        status = node.raft.status
        if status.role is Role.LEADER and self.leaders.setdefault(status.term, node.me) != node.me:
            raise Violation(f"election safety: {node.me} and {self.leaders[status.term]} lead term {status.term}")

    def _complete_log(self, node: Node) -> None:
        status = node.raft.status
        if status.role is not Role.LEADER or status.term < max(self.leaders):
            return  # an older leader does not know yet that it was replaced
        first = self._complete.get(status.term, 0)
        for item in self.committed[first:]:
            if not node.raft._state.log.matches(item.index, item.term):
                raise Violation(f"leader completeness: {node.me} leads term {status.term} without item {item.index}")
        self._complete[status.term] = len(self.committed)

    def _reads(self, node: Node) -> None:
        for read, index in node.reads.items():
            least = self.asked.get(read)
            if least is not None and index is not None and index < least:
                raise Violation(f"linearizable reads: {node.me} answers {read} from {index}, before {least}")
