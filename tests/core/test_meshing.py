"""Beyond a full mesh: whom a node dials, and which links it gives up."""

from __future__ import annotations

import itertools

import pytest

from roosync_p2p import limits
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.meshing import PARTED
from roosync_p2p.core.ports import DialFailed, DialOutcome, LinkId
from roosync_p2p.gossip.mesh import contacts_of, mates_of
from roosync_p2p.ids import MachineId
from tests.helpers.cores import A, Actor, B, C, D, E, Rig, identity

_ALL = (A, B, C, D, E)


def _wished() -> frozenset[MachineId]:
    return mates_of(B, _ALL) | contacts_of(B, _ALL, linked=lambda _: False, hopeless=lambda _: False)


@pytest.fixture
def small_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five members are more than a full mesh takes."""
    monkeypatch.setattr(limits, "FULL_MESH_MEMBERS_MAX", 2)


def _knows_everybody() -> tuple[Rig, MachineId, MachineId]:
    """A node that has everybody's address; somebody whom it wishes, and somebody whom it does not."""
    rig = Rig(knows=_ALL)
    # The others last: of those who have an address the best is dialled.
    for machine in sorted(set(_ALL) - {B}, key=lambda other: other not in _wished()):
        rig.feed(inputs.AddressesFound(machine=machine, addresses=(_address(machine),), source="mdns"))
    others = [machine for machine in _ALL if machine not in (B, *_wished())]
    assert _wished()
    assert others
    return rig, min(_wished()), others[0]


def _address(machine: MachineId) -> str:
    return f"10.0.0.{_ALL.index(machine)}:47600"


@pytest.mark.usefixtures("small_mesh")
def test_only_those_that_it_wishes_are_dialled() -> None:
    rig, _, _ = _knows_everybody()
    assert set(rig.dials.values()) == {_address(machine) for machine in _wished()}


def test_in_a_full_mesh_everybody_is() -> None:
    rig, _, _ = _knows_everybody()
    assert set(rig.dials.values()) == {_address(machine) for machine in _ALL if machine != B}


@pytest.mark.usefixtures("small_mesh")
def test_who_cannot_be_reached_is_replaced_by_the_next() -> None:
    rig, _, _ = _knows_everybody()
    tried = [set(rig.dials.values())]
    for _ in range(2):
        for dial in dict(rig.dials):
            rig.feed(DialFailed(dial=dial, outcome=DialOutcome.UNANSWERED, detail="nobody there"))
        rig.advance(2 * limits.MESH_LOOK_S)
        tried.append(set(rig.dials.values()))
    assert [len(addresses) for addresses in tried] == [2, 3, 4]


def _spare(rig: Rig, machine: MachineId, *, there: bool) -> LinkId:
    link = rig.meet(Actor(machine))
    rig.receive(link, wire.Spare(spare=there))
    rig.advance(limits.MESH_SPARE_S + 2 * limits.MESH_LOOK_S)
    return link


def _unwished_above_b() -> MachineId:
    return next(machine for machine in _ALL if machine > B and machine not in _wished())


@pytest.mark.usefixtures("small_mesh")
def test_a_link_that_neither_end_needs_is_closed() -> None:
    rig, _, _ = _knows_everybody()
    for machine in _wished():
        rig.meet(Actor(machine))
    link = _spare(rig, _unwished_above_b(), there=True)
    assert wire.Spare(spare=True) in rig.frames(wire.Spare, link)
    assert rig.closed[link] == PARTED


@pytest.mark.usefixtures("small_mesh")
def test_a_link_that_the_other_end_needs_stays() -> None:
    rig, _, _ = _knows_everybody()
    for machine in _wished():
        rig.meet(Actor(machine))
    link = _spare(rig, _unwished_above_b(), there=False)
    assert link not in rig.closed


@pytest.mark.usefixtures("small_mesh")
def test_a_link_that_is_needed_here_stays() -> None:
    rig, wished, _ = _knows_everybody()
    link = _spare(rig, wished, there=True)
    assert rig.frames(wire.Spare, link) == []
    assert link not in rig.closed


@pytest.mark.usefixtures("small_mesh")
def test_after_a_parting_nobody_dials_and_after_a_break_the_port_is_tried() -> None:
    rig, _, _ = _knows_everybody()
    machine = _unwished_above_b()
    link = rig.open(identity(machine))
    rig.receive(link, Actor(machine).hello())
    rig.dials.clear()
    rig.close(link, f"closed: {PARTED}")
    rig.advance(5.0)
    assert _address(machine) not in rig.dials.values()
    link = rig.meet(Actor(machine))
    rig.advance(2.0)
    for dial in [dial for dial, address in rig.dials.items() if address == _address(machine)]:
        rig.feed(DialFailed(dial=dial, outcome=DialOutcome.UNANSWERED, detail="it dialled us, and lets nobody in"))
    rig.dials.clear()
    rig.close(link, "connection reset by peer")
    assert _address(machine) in rig.dials.values()


@pytest.mark.usefixtures("small_mesh")
def test_a_node_that_lacks_an_issuers_word_wishes_a_link_with_the_issuer() -> None:
    rig, _, _ = _knows_everybody()
    issuers = set(rig.core.renewals.waiting_for())
    assert issuers
    rig.core.certificates.due = lambda: True  # type: ignore[method-assign]  # a year later, with everything else as it is
    rig.advance(2 * limits.MESH_LOOK_S)
    assert all(rig.core.dialling.wished(machine) for machine in issuers)


def _speaks(rig: Rig, link: LinkId, *machines: MachineId) -> None:
    rig.receive(link, wire.Hears(machines=[(machine, 1, 10) for machine in machines], all=True))


def _relayed(rig: Rig, author: Actor, near: LinkId, far: LinkId) -> int:
    """Whether an author's next heartbeat gets to a peer through this node."""
    rig.advance(5.0)
    rig.forget()
    rig.receive(near, author.beat(wall_ms=rig.now.wall_ms))
    return sum(frame.relayed for frame in rig.frames(wire.Beat, far))


@pytest.mark.usefixtures("small_mesh")
def test_nothing_is_passed_on_before_both_ends_said_that_they_hear_this_node() -> None:
    """All start at once: whoever took itself for the only one in the middle would pass on everything to everybody."""
    rig, _, _ = _knows_everybody()
    author = Actor(A)
    near, far = rig.meet(author), rig.meet(Actor(D))
    assert _relayed(rig, author, near, far) == 0
    assert not rig.core.exchange.passes_on(A, D)
    _speaks(rig, near, B)
    assert _relayed(rig, author, near, far) == 0
    assert not rig.core.exchange.passes_on(A, D)
    _speaks(rig, far, B)
    assert _relayed(rig, author, near, far) == 1
    assert rig.core.exchange.passes_on(A, D)
    _speaks(rig, far, A, B)  # it has a link to the author now
    assert _relayed(rig, author, near, far) == 0


@pytest.mark.usefixtures("small_mesh")
def test_peers_are_asked_for_records_one_after_the_other() -> None:
    rig, _, _ = _knows_everybody()
    links = [rig.meet(Actor(machine)) for machine in (A, D, E)]
    asked = [len(rig.frames(wire.Versions, link)) for link in links]
    assert asked == [1, 0, 0]
    rig.close(links[1])
    rig.advance(limits.RECORDS_ASKED_S)
    assert [len(rig.frames(wire.Versions, link)) for link in links] == [1, 0, 1]
    rig.advance(limits.RECORDS_ASKED_S)
    rig.receive(links[0], wire.Digest(frontier=rig.core.exchange.digest(), records=bytes(32)))
    assert [len(rig.frames(wire.Versions, link)) for link in links] == [2, 0, 1]
    assert not any(frame.answer for frame in rig.frames(wire.Versions))


@pytest.mark.usefixtures("small_mesh")
def test_who_has_the_same_records_by_now_is_not_asked() -> None:
    rig, _, _ = _knows_everybody()
    first, second = rig.meet(Actor(A)), rig.meet(Actor(D))
    same = wire.Digest(frontier=rig.core.exchange.digest(), records=rig.core.delivery.digest())
    rig.receive(second, same)
    rig.advance(3 * limits.RECORDS_ASKED_S)
    assert [len(rig.frames(wire.Versions, link)) for link in (first, second)] == [1, 0]


@pytest.mark.usefixtures("small_mesh")
def test_heartbeats_are_relayed_at_the_cadence_of_the_profile_though_they_come_on_another_grid() -> None:
    rig, _, _ = _knows_everybody()
    author = Actor(A)
    near, far = rig.meet(author), rig.meet(Actor(D))
    _speaks(rig, near, B)
    _speaks(rig, far, B)
    cadence_s = rig.core.presence.liveness.profile.relayed_interval_s
    assert cadence_s == 2.5
    beats, relayed_at = 41, []
    for number in range(beats):
        rig.forget()
        rig.receive(near, author.beat(wall_ms=rig.now.wall_ms))
        if any(frame.relayed for frame in rig.frames(wire.Beat, far)):
            relayed_at.append(number)
        rig.advance(1.0)
    assert {later - earlier for earlier, later in itertools.pairwise(relayed_at)} <= {2, 3}
    assert len(relayed_at) == pytest.approx(beats / cadence_s, abs=1)
