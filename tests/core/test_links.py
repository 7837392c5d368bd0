"""Links: who may greet, one a pair, a shadow for the older start, and what abuse leads to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.links import SETTLE_S, SHADOW_S
from roosync_p2p.core.ports import DialId
from roosync_p2p.core.rows import MemberRow
from roosync_p2p.ids import MachineId
from tests.helpers.cores import A, Actor, B, C, D, Rig, connect, entries, identity, keys, second_key, settle


def _dialled(rig: Rig, machine: MachineId = A) -> DialId:
    """The rig dials that machine; the dial that is under way."""
    before = set(rig.dials)
    rig.feed(inputs.AddressesFound(machine=machine, addresses=("10.0.0.1:47600",), source="mdns"))
    (dial,) = set(rig.dials) - before
    return dial


# --- greeting ---------------------------------------------------------------------------------------------------------


def test_a_link_counts_once_the_other_end_has_greeted() -> None:
    rig = Rig()
    link = rig.open(identity(A))
    assert rig.core.links.peers() == ()
    rig.receive(link, Actor(A).hello())
    assert rig.core.links.peers() == (A,)
    assert rig.told("link") == [{"machine": A, "up": True}]


def test_the_greeting_is_the_first_frame_and_names_this_machine() -> None:
    rig = Rig()
    link = rig.open(identity(A))
    (hello,) = rig.frames(wire.Hello, link)
    assert (hello.machine, hello.start, hello.leaf) == (B, 1, identity(B).leaf)


def test_no_greeting_leaves_before_the_start_number_is_durable() -> None:
    rig = Rig(holding=True)
    link = rig.open(identity(A))
    assert rig.sent == []
    rig.commit()
    assert rig.frames(wire.Hello, link) != []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"machine": C}, "wrong_tls_peer"),
        ({"leaf": identity(C).leaf}, "wrong_tls_peer"),
        ({"issuer": keys("another fleet").identities[A].issuer}, "wrong_fleet"),
        ({"boot": bytes(15)}, "bad_field"),
        ({"start": -1}, "bad_field"),
        ({"minor": -1}, "bad_field"),
        ({"version": "x" * 65}, "bad_field"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_greeting_with_one_lie_closes_the_link(changes: dict[str, Any], code: str) -> None:
    rig = Rig()
    link = rig.open(identity(A))
    rig.receive(link, msgspec.structs.replace(Actor(A).hello(), **changes))
    assert rig.counted(f"fault.{code}") == 1
    assert rig.closed[link].startswith(code)
    assert rig.core.links.peers() == ()


def test_a_machine_of_another_fleet_is_shown_out_before_the_greeting() -> None:
    rig = Rig()
    link = rig.open(keys("another fleet").identities[A])
    assert rig.counted("fault.wrong_fleet") == 1
    assert link in rig.closed
    assert rig.frames(wire.Hello, link) == []


def test_another_key_under_a_pinned_machine_id_is_a_conflict_that_is_told() -> None:
    rig = Rig()
    link = rig.open(second_key(A))
    assert rig.frames(wire.Hello, link) == [], "nothing is said before it has shown why"
    thief = Actor(A)
    thief.identity = second_key(A)
    rig.receive(link, thief.hello())
    assert rig.counted("fault.key_conflict") == 1
    assert link in rig.closed
    assert rig.frames(wire.Hello, link) == []
    assert rig.told("verdict")[-1]["state"] == "conflict"


def test_a_newcomer_with_a_valid_chain_is_learned_from_its_greeting() -> None:
    rig = Rig()
    rig.meet(Actor(D))
    assert D in rig.core.members()
    assert [row.machine for row in rig.rows(MemberRow)] == [B, D]  # on a new disk it writes itself down too


def test_frames_before_the_greeting_are_bad_frames() -> None:
    rig = Rig()
    link = rig.open(identity(A))
    rig.receive(link, wire.OwnQuery())
    assert rig.counted("fault.no_greeting") == 1


def test_a_link_that_never_greets_is_closed() -> None:
    rig = Rig()
    link = rig.open(identity(A))
    rig.advance(limits.HANDSHAKE_TIMEOUT_S)
    assert rig.closed[link] == "no greeting came"


def test_whoever_dials_itself_closes_the_link_and_tries_that_address_no_more_soon() -> None:
    rig = Rig()
    rig.feed(inputs.AddressesFound(machine=None, addresses=("10.0.0.2:47600",), source="static"))
    (dial,) = rig.dials
    link = rig.open(identity(B), dial=dial)
    (hello,) = rig.frames(wire.Hello, link)
    rig.receive(link, hello)
    assert rig.counted("fault.own_address") == 1
    assert link in rig.closed
    rig.close(link)
    rig.advance(10.0)
    assert len(rig.dials) == 1
    assert rig.core.authorship.phase.value == "ready"


def test_another_node_under_this_machines_identity_is_a_conflict() -> None:
    rig = Rig().ready()
    link = rig.open(identity(B))
    rig.receive(link, Actor(B).hello())
    assert rig.counted("fault.own_identity") == 1
    assert rig.core.authorship.phase.value == "conflict"


# --- one a pair -------------------------------------------------------------------------------------------------------


def test_between_equals_the_link_dialled_by_the_smaller_id_stays() -> None:
    rig = Rig(A, knows=(B, C))
    inbound = rig.meet(Actor(B))
    outbound = rig.meet(Actor(B), dial=_dialled(rig, B))
    assert list(rig.closed) == [inbound]
    assert rig.core.links.primary(B) is rig.core.links.get(outbound)


def test_the_larger_id_leaves_the_choice_to_the_other_end_for_a_while() -> None:
    rig = Rig(B)
    outbound = rig.meet(Actor(A), dial=_dialled(rig))
    inbound = rig.meet(Actor(A))
    assert rig.core.links.primary(A) is rig.core.links.get(inbound)
    assert rig.closed == {}
    rig.advance(SETTLE_S)
    assert list(rig.closed) == [outbound]


def test_a_link_that_asks_to_replace_a_silent_one_does() -> None:
    rig = Rig(A, knows=(B, C))
    outbound = rig.meet(Actor(B), dial=_dialled(rig, B))
    replacing = rig.meet(Actor(B), replaces=True)
    assert list(rig.closed) == [outbound]
    assert rig.core.links.primary(B) is rig.core.links.get(replacing)


def test_a_link_over_which_nothing_came_lately_gives_way() -> None:
    rig = Rig(A, knows=(B, C))
    outbound = rig.meet(Actor(B), dial=_dialled(rig, B))
    rig.advance(3.5)
    rig.meet(Actor(B))
    assert outbound in rig.closed


def test_when_the_link_in_use_is_gone_the_spare_one_is_used() -> None:
    rig = Rig(B)
    rig.meet(Actor(A), dial=_dialled(rig))
    inbound = rig.meet(Actor(A))
    rig.close(inbound)
    assert rig.core.links.peers() == (A,)
    assert [event["up"] for event in rig.told("link")] == [True]


def test_when_the_last_link_is_gone_people_are_told_why() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    rig.close(link, "cable")
    assert rig.told("link")[-1] == {"machine": A, "up": False, "reason": "cable"}


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["a dials", "b dials"]), st.booleans()), min_size=1, max_size=4))
def test_both_ends_settle_on_one_and_the_same_link(dials: list[tuple[str, bool]]) -> None:
    a, b = Rig(A, knows=(B,)), Rig(B, knows=(A,))
    pairs = []
    for who, at_once in dials:
        one, other, peer = (a, b, B) if who == "a dials" else (b, a, A)
        near, far = connect(one, other, dial=_dial_again(one, peer))
        pairs.append((near, far) if one is a else (far, near))
        if at_once:
            settle(a, b)
    settle(a, b)
    for _ in range(4):
        _carry_closes(a, b, pairs)
        settle(a, b, seconds=SETTLE_S / 2)
    used = a.core.links.primary(B), b.core.links.primary(A)
    assert used[0] is not None
    assert used[1] is not None
    assert (used[0].id, used[1].id) in pairs
    left = [pair for pair in pairs if pair[0] not in a.closed and pair[1] not in b.closed]
    assert left == [(used[0].id, used[1].id)]


def _dial_again(rig: Rig, machine: MachineId) -> DialId:
    number = len(rig.dials) + 1
    before = set(rig.dials)
    address = f"10.0.1.{number}:1"
    rig.feed(inputs.AddressesFound(machine=machine, addresses=(address,), source="mdns"))
    fresh = sorted(set(rig.dials) - before)
    return fresh[0] if fresh else DialId(1_000 + number)


def _carry_closes(a: Rig, b: Rig, pairs: list[tuple[Any, Any]]) -> None:
    for near, far in pairs:
        if (near in a.closed) != (far in b.closed) or near in a.closed:
            for rig, link in ((a, near), (b, far)):
                if rig.core.links.get(link) is not None:
                    rig.closed.setdefault(link, "closed by the other end")
                    rig.close(link)


# --- an older start ---------------------------------------------------------------------------------------------------


def test_a_newer_start_takes_over_and_the_older_one_is_watched_for_a_moment() -> None:
    rig = Rig()
    old = rig.meet(Actor(A, start=1))
    new = rig.meet(Actor(A, start=2))
    assert rig.core.links.primary(A) is rig.core.links.get(new)
    assert rig.closed == {}
    rig.advance(SHADOW_S)
    assert rig.closed == {old: "a newer start of this machine is connected"}


def test_an_older_start_does_not_take_over() -> None:
    rig = Rig()
    new = rig.meet(Actor(A, start=2))
    old = rig.meet(Actor(A, start=1))
    assert rig.core.links.primary(A) is rig.core.links.get(new)
    rig.advance(SHADOW_S)
    assert list(rig.closed) == [old]


# --- abuse ------------------------------------------------------------------------------------------------------------


def test_one_bad_frame_is_counted_and_nothing_else() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    rig.receive(link, b"rubbish")
    assert rig.counted("fault.malformed") == 1
    assert rig.closed == {}


def test_repeated_bad_frames_close_the_link_with_the_reason() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    for _ in range(limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, b"rubbish")
    assert rig.closed[link].startswith(f"{limits.LINK_BAD_FRAMES_MAX} bad frames, the last: malformed")


def test_bad_frames_that_are_rare_never_close_a_link() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    for _ in range(2 * limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, b"rubbish")
        rig.now = rig.now.later(limits.LINK_BAD_FRAMES_FORGOTTEN_S + 1)
    assert link not in rig.closed


@pytest.mark.parametrize("code", ["unknown_author", "unknown_key", "key_conflict"])
def test_what_a_peer_passes_on_in_good_faith_is_not_its_fault(code: str) -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    frames: dict[str, wire.Frame] = {
        "unknown_author": wire.Beat(envelope=Actor(D).beat().envelope, relayed=True),
        "unknown_key": wire.Beat(envelope=_doubled().beat().envelope, relayed=True),
        "key_conflict": entries(_doubled().begin()),
    }
    for _ in range(2 * limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, frames[code])
    assert rig.closed == {}


def _doubled() -> Actor:
    actor = Actor(C)
    actor.identity = second_key(C)
    return actor


def _abusive(rig: Rig) -> None:
    link = rig.meet(Actor(A))
    for _ in range(limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, b"rubbish")
    rig.close(link)


def test_an_abusive_peer_is_not_dialled_for_a_while() -> None:
    rig = Rig()
    rig.feed(inputs.AddressesFound(machine=A, addresses=("10.0.0.1:47600",), source="mdns"))
    rig.feed(inputs.Tick())
    first = rig.meet(Actor(A), dial=next(iter(rig.dials)))
    for _ in range(limits.LINK_BAD_FRAMES_MAX):
        rig.receive(first, b"rubbish")
    rig.close(first)
    rig.advance(limits.LINK_BACKOFF_AFTER_ABUSE_S - 1)
    assert len(rig.dials) == 1
    rig.advance(2)
    assert len(rig.dials) == 2


def test_an_abusive_peer_that_dials_is_shown_out_for_a_while() -> None:
    rig = Rig()
    _abusive(rig)
    again = rig.open(identity(A))
    assert rig.closed[again] == "too many bad frames a moment ago; try again later"
    rig.now = rig.now.later(limits.LINK_BACKOFF_AFTER_ABUSE_S)
    later = rig.meet(Actor(A))
    assert later not in rig.closed


def test_whoever_is_shown_out_again_and_again_dials_less_and_less() -> None:
    rig = Rig()
    rig.feed(inputs.AddressesFound(machine=A, addresses=("10.0.0.1:47600",), source="mdns"))
    answered: set[DialId] = set()
    for _ in range(300):
        for dial in set(rig.dials) - answered:
            answered.add(dial)
            rig.close(rig.meet(Actor(A), dial=dial), "too many bad frames a moment ago; try again later")
        rig.advance(0.1)
    assert 3 <= len(rig.dials) <= 12


def test_a_link_that_ends_before_its_greeting_is_dialled_again() -> None:
    rig = Rig()
    rig.feed(inputs.AddressesFound(machine=A, addresses=("10.0.0.1:47600",), source="mdns"))
    (dial,) = rig.dials
    rig.close(rig.open(identity(A), dial=dial))
    rig.advance(1.0)
    assert len(rig.dials) == 2


def test_a_frame_of_a_name_that_nobody_knows_is_counted_and_is_no_fault() -> None:
    rig = Rig()
    link = rig.meet(Actor(A))
    for _ in range(2 * limits.LINK_BAD_FRAMES_MAX):
        rig.receive(link, pack({"t": "dance"}))
    assert rig.counted("frames.unknown") == 2 * limits.LINK_BAD_FRAMES_MAX
    assert rig.closed == {}
