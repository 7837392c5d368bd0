"""A lost key where no link leads: the new one is accepted through the folder, and who has the old one is told."""

from __future__ import annotations

import dataclasses

from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import OfferLost
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.rotations import lost_record
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Cut, KeyLost, seal_statement
from tests.helpers.folder_fleet import FolderFleet

A, B, C, D = (MachineId(f"machine-{letter}") for letter in "abcd")
_NEXT = SigningKey(b"n" * 32)


def _leaf(fleet: FolderFleet) -> bytes:
    keys = fleet.fleet.keys
    issuer = keys.identities[A]
    assert issuer.issuer_key is not None
    return machine_certificate(
        issuer.issuer_key, issuer.issuer, _NEXT.public, machine=C, fleet=keys.fleet, serial=9, now_s=BORN_S + 1
    )


def _lost(fleet: FolderFleet) -> bytes:
    """What the root says on machine a, by what that holds."""
    keys, chains = fleet.fleet.keys, fleet.member("a").disk.load().chains
    cuts: dict[str, Cut] = {
        heads.chain: Cut(incarnation=1, sequence=len(heads.ids) // 32, id=heads.ids[-32:])
        for heads in chains
        if heads.author == C
    }
    own = keys.identities[C]
    said = KeyLost(
        machine=C,
        old=own.key.key_id,
        new=_NEXT.key_id,
        former_leaf=own.leaf,
        former_issuer=own.issuer,
        leaf=_leaf(fleet),
        issuer=keys.identities[A].issuer,
        ledger=cuts[LEDGER],
        mail=cuts[MAIL],
        by=A,
        serial=bytes(16),
    )
    return seal_statement(keys.root_key, said, fleet=keys.fleet)


def test_it_is_accepted_through_the_folder_alone_and_goes_on_once_an_issuer_is_linked() -> None:
    fleet = FolderFleet("abcd")
    fleet.until_s(lambda: all(len(fleet.member(letter).node().members()) == 4 for letter in "abcd"), 120)
    fleet.send("c", "b", "before")
    fleet.until_s(lambda: fleet.subjects("b") == ["before"], 300)
    fleet.until_s(lambda: fleet.member("a").node().exchange.durable_head((C, 1, MAIL)) > 1, 300)
    fleet.member("d").crash()
    lost = _lost(fleet)
    answer = fleet.ask("b", OfferLost(statement=lost))

    # The old home lives on, in whosever hands: it hears of it as everybody does.
    fleet.until_s(lambda: fleet.member("c").node().authorship.phase is Phase.REVOKED, 300)
    assert answer == [{"machine": C, "ordered": False}]
    fleet.member("c").crash()

    old = fleet.member("c").identity
    fleet.member("c").identity = dataclasses.replace(old, key=_NEXT, leaf=_leaf(fleet))
    fleet.member("c").disk = MemoryStore()
    fleet.member("c").disk.commit([lost_record(lost)])
    fleet.member("c").start()
    fleet.member("d").start()
    for letter in "abd":
        node = fleet.member(letter).node()
        fleet.until_s(lambda n=node: n.directory.members[C].public == _NEXT.public, 300)
        fleet.until_s(lambda who=letter: fleet.verdict(who, "c").state is State.ONLINE, 600)
        assert fleet.counted(letter, "fault.key_conflict") == 0
    assert fleet.member("c").node().authorship.phase is Phase.WAITING
    fleet.heal()
    fleet.until_s(lambda: fleet.member("c").node().authorship.phase is Phase.READY, 120)
    fleet.send("c", "b", "after")
    fleet.until_s(lambda: fleet.subjects("b") == ["before", "after"], 120)
    assert fleet.member("c").node().authorship.incarnation == 2
