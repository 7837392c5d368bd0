"""The promises of the interface: what a Ready holds and when, what is refused and why."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.consensus.items import Voters, make_item
from roosync_p2p.consensus.messages import AppendAnswer, VoteAnswer, VoteRequest
from roosync_p2p.consensus.progress import Standing
from roosync_p2p.consensus.raft import Raft, StoredLog
from roosync_p2p.consensus.state import Refusal, Role, Timing
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.entropy import Entropy
from roosync_p2p.ids import Epoch, LogIndex, Term
from tests.consensus.cluster import EPOCH, Cluster, batch, seat

A, B, C = seat("aa1"), seat("bb1"), seat("cc1")


@pytest.fixture
def three() -> Cluster:
    """Three voters, the first of them leads."""
    cluster = Cluster()
    cluster.found("aa1", ["bb1", "cc1"])
    return cluster


def alone(stored: StoredLog) -> Raft:
    """A Raft without a cluster."""
    entropy = Entropy(bytes(16))
    return Raft(me=A, stored=stored, timing=Timing(), entropy=entropy, now_s=0.0, seal=lambda _: b"")


def test_an_empty_store_waits_for_nothing_and_does_nothing() -> None:
    raft = alone(StoredLog.empty(EPOCH))
    raft.tick(1000.0)
    assert raft.next_deadline() is None
    assert raft.status.role is Role.FOLLOWER
    ready = raft.ready()
    assert ready is not None
    assert not ready.writes
    assert not ready.messages


def test_a_founder_leads_as_soon_as_its_disk_has_it() -> None:
    cluster = Cluster()
    cluster.slow_disks = {"aa1"}
    cluster.start("aa1").raft.bootstrap(time_ms=0, now_s=cluster.now_s)
    cluster.advance(1.0)
    assert cluster.leaders() == []
    cluster.slow_disks = set()
    cluster.advance(0.0)
    assert cluster.leaders() == ["aa1"]
    assert isinstance(cluster.nodes["aa1"].applied[0].payload, Voters)


def test_a_candidate_asks_only_when_its_vote_for_itself_is_in_the_same_ready(three: Cluster) -> None:
    three.crash("aa1")
    node = three.nodes["bb1"]
    for name in ("bb1", "cc1"):
        three.nodes[name].raft.leader_lost(three.now_s)
    node.raft.tick(three.now_s + 1)
    three.collect()
    three.deliver(next(letter for letter in three.letters if letter.to == C))
    three.letters = []
    three.collect()
    answer = three.letters.pop()
    three.deliver(answer)
    ready = node.raft.ready()
    assert ready is not None
    assert ready.hard == HardState(term=Term(3), vote=B, epoch=EPOCH)
    assert [type(message) for _, message in ready.messages] == [VoteRequest, VoteRequest]
    assert not ready.before_store


def test_what_is_proposed_together_is_sent_together(three: Cluster) -> None:
    for text in "xyz":
        three.propose("aa1", text)
    ready = three.nodes["aa1"].raft.ready()
    assert ready is not None
    assert len(ready.before_store) == 2
    assert len(ready.append) == 3


def test_the_leader_sends_before_it_wrote_and_the_follower_answers_after(three: Cluster) -> None:
    three.propose("aa1", "x")
    leader, follower = three.nodes["aa1"].raft, three.nodes["bb1"].raft
    ready = leader.ready()
    assert ready is not None
    to, append = next((to, append) for to, append in ready.before_store if to == B)
    assert to == B
    follower.received(A, append, three.now_s)
    answer = follower.ready()
    assert answer is not None
    assert answer.writes
    assert isinstance(answer.messages[0][1], AppendAnswer)
    assert not answer.before_store


def test_its_own_copy_counts_only_when_it_is_stored() -> None:
    cluster = Cluster()
    cluster.found("aa1")
    cluster.slow_disks = {"aa1"}
    cluster.propose("aa1", "x")
    cluster.settle()
    raft = cluster.nodes["aa1"].raft
    assert raft.commit < raft.last_index
    cluster.slow_disks = set()
    cluster.settle()
    assert cluster.applied("aa1") == ["x"]


def test_a_majority_commits_while_the_leaders_disk_is_slow_and_it_applies_later(three: Cluster) -> None:
    three.slow_disks = {"aa1"}
    three.propose("aa1", "x")
    three.settle()
    assert three.nodes["aa1"].raft.commit == three.nodes["aa1"].raft.last_index
    assert three.applied("bb1") == ["x"]
    assert three.applied("aa1") == [], "nothing is handed out before it is durable here"
    three.slow_disks = set()
    three.settle()
    assert three.applied("aa1") == ["x"]


def test_messages_of_another_life_or_epoch_mean_nothing(three: Cluster) -> None:
    raft = three.nodes["bb1"].raft
    before = raft.status
    for to, by, epoch, sender in (
        (seat("bb1", life=2), C, EPOCH, C),
        (B, seat("cc1", life=2), EPOCH, C),
        (B, C, Epoch(2), C),
    ):
        request = VoteRequest(
            epoch=epoch,
            term=Term(99),
            to=to.store,
            by=by.store,
            last_index=LogIndex(99),
            last_term=Term(99),
            pre=False,
            transfer=True,
        )
        raft.received(sender, request, three.now_s)
    assert raft.status == before
    assert raft.counters["not_for_this_life"] == 3


def test_a_vote_of_somebody_who_is_no_voter_does_not_count(three: Cluster) -> None:
    three.crash("aa1")
    three.crash("cc1")
    node = three.nodes["bb1"]
    three.advance(2.0)
    assert node.raft.status.role is Role.PRE_CANDIDATE
    stranger = seat("dd1")
    vote = VoteAnswer(epoch=EPOCH, term=Term(3), to=B.store, by=stranger.store, granted=True, pre=True)
    node.raft.received(stranger, vote, three.now_s)
    assert node.raft.status.role is Role.PRE_CANDIDATE


def test_only_a_leader_takes_proposals_changes_and_transfers(three: Cluster) -> None:
    raft = three.nodes["bb1"].raft
    assert raft.propose(batch("x"), three.now_s) is Refusal.NOT_LEADER
    assert raft.transfer(C, three.now_s) is Refusal.NOT_LEADER
    assert three.remove("bb1", "cc1") is Refusal.NOT_LEADER
    raft.read("read", three.now_s)
    three.settle()
    assert three.nodes["bb1"].reads == {"read": None}


def test_changes_that_make_no_sense_are_refused(three: Cluster) -> None:
    raft, index = three.nodes["aa1"].raft, three.nodes["aa1"].raft.status.configuration.index
    now_s = three.now_s
    assert raft.change_voters(add=B, replaces=index, time_ms=0, now_s=now_s) is Refusal.ALREADY_A_VOTER
    other_life = seat("bb1", life=2)
    assert raft.change_voters(add=other_life, replaces=index, time_ms=0, now_s=now_s) is Refusal.ALREADY_A_VOTER
    assert raft.change_voters(remove=other_life, replaces=index, time_ms=0, now_s=now_s) is Refusal.NOT_A_VOTER
    old = LogIndex(index - 1)
    assert raft.change_voters(remove=B, replaces=old, time_ms=0, now_s=now_s) is Refusal.STALE_CONFIGURATION
    assert raft.transfer(seat("dd1"), now_s) is Refusal.NOT_A_VOTER
    assert raft.transfer(A, now_s) is Refusal.ALREADY_LEADER


def test_one_change_at_a_time(three: Cluster) -> None:
    three.paused = {"bb1", "cc1"}
    assert isinstance(three.remove("aa1", "cc1"), int)
    assert three.remove("aa1", "bb1") is Refusal.CHANGE_PENDING


def test_the_last_voter_stays() -> None:
    cluster = Cluster()
    cluster.found("aa1")
    assert cluster.remove("aa1", "aa1") is Refusal.LAST_VOTER


def test_a_new_leader_changes_no_voters_before_it_committed_in_its_term(three: Cluster) -> None:
    three.nodes["aa1"].raft.transfer(B, three.now_s)
    three.loses = lambda letter: isinstance(letter.message, AppendAnswer)
    three.settle()
    assert three.leaders() == ["bb1"]
    assert three.remove("bb1", "aa1") is Refusal.NOTHING_COMMITTED
    three.loses = lambda _: False
    three.advance(0.5)
    assert isinstance(three.remove("bb1", "aa1"), int)


def test_nothing_is_proposed_during_a_transfer(three: Cluster) -> None:
    three.paused = {"bb1"}
    assert three.nodes["aa1"].raft.transfer(B, three.now_s) is None
    assert three.propose("aa1", "x") is Refusal.TRANSFERRING
    assert three.remove("aa1", "cc1") is Refusal.TRANSFERRING


def test_a_leader_without_majority_takes_only_so_much(three: Cluster) -> None:
    three.paused = {"bb1", "cc1"}
    for _ in range(limits.UNCOMMITTED_ITEMS_MAX):
        assert isinstance(three.propose("aa1", "x"), int)
    assert three.propose("aa1", "x") is Refusal.BUSY


def test_a_learner_that_lost_its_leader_from_sight_hears_of_it_though_nothing_is_decided(three: Cluster) -> None:
    three.start("dd1")
    three.nodes["aa1"].raft.set_learners([three.seats["dd1"]], three.now_s)
    three.settle()
    three.crash("dd1")
    learner = three.start("dd1")
    assert learner.raft.status.leader is None
    three.advance(Timing().learner_beat_s + Timing().heartbeat_s)
    assert learner.raft.status.leader == A


def test_a_leader_tells_what_it_knows_of_the_others(three: Cluster) -> None:
    raft = three.nodes["aa1"].raft
    three.start("dd1")
    raft.set_learners([three.seats["dd1"]], three.now_s)
    three.settle()
    found = {peer.seat: (peer.standing, peer.match) for peer in raft.peers()}
    last = raft.last_index
    learner = (Standing.LEARNER, last)
    assert found == {B: (Standing.VOTER, last), C: (Standing.VOTER, last), three.seats["dd1"]: learner}
    assert three.nodes["bb1"].raft.peers() == []


def test_committed_items_are_handed_out_in_pieces(three: Cluster) -> None:
    three.slow_disks = {"aa1", "bb1", "cc1"}
    for _ in range(limits.COMMITTED_ITEMS_AT_ONCE + 10):
        three.propose("aa1", "x")
    three.settle()
    three.sync("bb1")
    three.sync("cc1")
    for letter in three.letters:
        three.deliver(letter)
    three.collect()
    for letter in three.letters:
        three.deliver(letter)
    raft = three.nodes["aa1"].raft
    while three.nodes["aa1"].disk.queue:
        three.nodes["aa1"].sync(three.now_s)
    first, second = raft.ready(), raft.ready()
    assert first is not None
    assert second is not None
    assert (len(first.committed), len(second.committed)) == (limits.COMMITTED_ITEMS_AT_ONCE, 10)


# --- restarts and gossip ----------------------------------------------------------------------------------------------


def test_a_store_that_lost_what_it_applied_neither_votes_nor_leads() -> None:
    item = make_item(LogIndex(1), Term(1), Voters(time_ms=0, replaces=LogIndex(0), voters=(A,)))
    hard = HardState(term=Term(1), vote=A, epoch=EPOCH)
    rows = [(item.index, item.term, item.data)]
    raft = alone(StoredLog(hard=hard, items=rows, commit=LogIndex(2)))
    assert raft.damaged
    assert raft.next_deadline() is None
    request = VoteRequest(
        epoch=EPOCH,
        term=Term(5),
        to=A.store,
        by=B.store,
        last_index=LogIndex(9),
        last_term=Term(5),
        pre=False,
        transfer=False,
    )
    raft.received(B, request, 1.0)
    ready = raft.ready()
    assert ready is not None
    assert ready.messages[0][1] == VoteAnswer(
        epoch=EPOCH, term=Term(5), to=B.store, by=A.store, granted=False, pre=False
    )


def test_what_is_unusable_of_a_store_is_removed_before_anything_is_appended(three: Cluster) -> None:
    items = [(item.index, item.term, item.data) for item in three.disks["bb1"].items]
    del items[1]
    raft = alone(StoredLog(hard=three.disks["bb1"].hard, items=items, commit=LogIndex(1)))
    ready = raft.ready()
    assert ready is not None
    assert ready.cut_from == 2


def test_a_learner_takes_committed_items_that_came_by_gossip(three: Cluster) -> None:
    three.propose("aa1", "x", "y")
    three.settle()
    learner = three.start("dd1")
    items = three.nodes["bb1"].applied
    learner.raft.committed(items[:3], LogIndex(3), three.now_s)
    learner.raft.committed(items[1:], LogIndex(len(items)), three.now_s)
    three.settle()
    assert three.applied("dd1") == ["x", "y"]
    assert learner.raft.status.term == items[-1].term


def test_committed_items_with_a_gap_before_them_are_not_taken(three: Cluster) -> None:
    learner = three.start("dd1")
    items = three.nodes["bb1"].applied
    learner.raft.committed(items[1:], LogIndex(len(items)), three.now_s)
    three.settle()
    assert learner.raft.last_index == 0
    assert learner.raft.counters["committed_with_gap"] == 1


def test_gossip_of_what_others_committed_replaces_what_was_not(three: Cluster) -> None:
    three.paused = {"bb1", "cc1"}
    three.propose("aa1", "lost")
    three.settle()
    three.crash("aa1")
    three.letters = []
    three.paused = set()
    three.advance(3.0)
    (leader,) = three.leaders()
    three.propose(leader, "kept")
    three.settle()
    node = three.start("aa1")
    assert node.raft.last_index == three.nodes[leader].raft.last_index - 1
    applied = three.nodes[leader].applied
    node.raft.committed(applied, LogIndex(len(applied)), three.now_s)
    three.settle()
    assert three.applied("aa1") == ["kept"]


def test_items_that_contradict_what_is_committed_are_refused(three: Cluster) -> None:
    node = three.nodes["bb1"]
    other = make_item(LogIndex(len(node.applied)), Term(1), batch("forged"))
    node.raft._state.commit = LogIndex(len(node.applied) - 1)
    node.raft.committed([other], other.index, three.now_s)
    assert node.raft.counters["committed_with_gap"] + node.raft.counters["contradiction_of_committed"] == 1
    assert node.raft._state.log.term_at(other.index) != 1
