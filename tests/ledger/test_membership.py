"""The register: founding, admissions, rotation, roles, ends of membership, persons; by whom each is said."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.codec.records import encode
from roosync_p2p.ids import Epoch, MachineId
from roosync_p2p.ledger.bodies import (
    Carrier,
    ClaimAcquire,
    MemberLeave,
    MemberRetire,
    MemberRotate,
    MemberSettle,
    RulesSupport,
)
from roosync_p2p.ledger.cursors import Take, takes
from roosync_p2p.ledger.register import register_of
from roosync_p2p.ledger.views import register_view
from roosync_p2p.trust.certificates import issuer_certificate
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import (
    FLEET_FOUND,
    MEMBER_ADMIT,
    Cut,
    KeyLost,
    MemberRoles,
    PersonKey,
    PersonRemoval,
    Revocation,
    Statement,
    seal_statement,
)
from tests.helpers.trust import NOW_S, key_from
from tests.ledger.history import FLEET, A, B, C, D, History, serial

NEW = key_from("a new key")


@pytest.fixture
def history() -> History:
    return History(B, C)


def rotation(machine: MachineId, key: SigningKey = NEW, **more: Any) -> MemberRotate:
    leaf = FLEET.leaf(machine, key=key)
    return MemberRotate(machine=machine, key_id=key.key_id, leaf=leaf, issuer=FLEET.issuer, **more)


def by_issuer(
    history: History, carrier: MachineId, kind: str, statement: Statement, author: str = f"issuer:{A}"
) -> Any:
    envelope = seal_statement(FLEET.issuer_key, statement, fleet=FLEET.fleet, author=author)
    return history.say(carrier, kind, Carrier(statement=envelope)).outcome


def roles_of(history: History, machine: MachineId) -> tuple[str, ...] | None:
    member = register_of(history.state, FLEET.root).present(machine)
    return None if member is None else member.roles


# --- founding and admission ---------------------------------------------------------------------------------------


def test_the_founder_is_member_issuer_and_approver(history: History) -> None:
    assert roles_of(history, A) == ("approver", "issuer", "member")
    view = register_view(history.state, FLEET.root)
    assert view["approvers"] == [A]


def test_a_fleet_is_founded_once(history: History) -> None:
    assert history.say(A, FLEET_FOUND, history.founding()).outcome.reason == "already_founded"


def test_only_the_founder_founds() -> None:
    unfounded = History.unfounded()
    unfounded.begin(B)
    assert unfounded.say(B, FLEET_FOUND, unfounded.founding()).outcome.reason == "not_the_founder"
    assert unfounded.say(B, "rules.support", RulesSupport(version=1)).outcome.reason == "not_founded"


def test_an_admission_gives_the_roles_that_it_says(history: History) -> None:
    history.join(D, "approver", "member")
    assert roles_of(history, D) == ("approver", "member")
    assert history.told("member.admitted")[-1]["by"] == A


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("not_the_author", {"admitted_by": B}),
        ("roles_not_granted", {"roles": ("approver", "member")}),
        ("wrong_machine", {"machine": MachineId("another-one")}),
        ("wrong_key", {"key": bytes(32)}),
        ("bad_field", {"epoch": -1}),
        ("wrong_epoch", {"epoch": 1}),
    ],
    ids=str,
)
def test_an_admission_with_one_lie_is_refused(history: History, reason: str, changed: dict[str, Any]) -> None:
    outcome = history.say(A, MEMBER_ADMIT, history.admission(D, **changed)).outcome
    assert outcome.reason == reason


def test_only_an_issuer_admits(history: History) -> None:
    body = history.admission(D, admitted_by=B)
    assert history.say(B, MEMBER_ADMIT, body).outcome.reason == "no_authority"


def test_admitting_twice_changes_nothing_and_saying_otherwise_is_refused(history: History) -> None:
    before = register_view(history.state, FLEET.root)
    assert history.admit(B).outcome.detail["unchanged"] is True
    assert register_view(history.state, FLEET.root) == before
    assert history.admit(B, "approver", "member").outcome.reason == "already_member"
    other = history.admission(B, key=NEW.key_id, leaf=FLEET.leaf(B, key=NEW))
    assert history.say(A, MEMBER_ADMIT, other).outcome.reason == "key_conflict"


def test_an_invite_admits_once(history: History) -> None:
    assert history.say(A, MEMBER_ADMIT, history.admission(D, invite=b"invite 1")).outcome.accepted
    third = MachineId("third-one")
    assert history.say(A, MEMBER_ADMIT, history.admission(third, invite=b"invite 1")).outcome.reason == "invite_used"


def test_before_its_admission_a_machine_waits_and_is_not_refused(history: History) -> None:
    entry = history.author(D).write("rules.support", b"")
    assert takes(history.state, entry, root=FLEET.root) is Take.UNKNOWN_AUTHOR


# --- keys ---------------------------------------------------------------------------------------------------------


def test_a_rotation_is_signed_with_the_old_key_and_what_follows_with_the_new(history: History) -> None:
    assert history.say(B, "member.rotate", rotation(B)).outcome.accepted
    old = history.author(B).write("rules.support", b"")
    assert takes(history.state, old, root=FLEET.root) is Take.UNKNOWN_AUTHOR
    author = history.author(B)
    author.sequence, author.previous, author.key = author.sequence - 1, history.log[-1][2].id, NEW
    assert history.say(B, "rules.support", RulesSupport(version=1)).outcome.accepted


def test_a_rotation_outlives_the_epoch_in_which_it_was_written(history: History) -> None:
    entry = history.author(B).write("member.rotate", encode(rotation(B)))
    history.epoch = Epoch(1)
    history.voters(C)
    assert history.commit(entry).outcome.accepted
    member = register_of(history.state, FLEET.root).present(B)
    assert member is not None
    assert member.key == NEW.key_id


def test_a_lost_key_takes_the_roots_word(history: History) -> None:
    assert history.say(C, "member.rotate", rotation(B)).outcome.reason == "not_the_author"
    lost = KeyLost(machine=B, old=FLEET.key(B).key_id, new=NEW.key_id, serial=serial(1))
    other = KeyLost(machine=C, old=FLEET.key(C).key_id, new=NEW.key_id, serial=serial(2))
    seal = {said: seal_statement(FLEET.root_key, said, fleet=FLEET.fleet) for said in (lost, other)}
    assert history.say(C, "member.rotate", rotation(B, statement=seal[other])).outcome.reason == "other_statement"
    assert history.say(C, "member.rotate", rotation(B, statement=seal[lost])).outcome.detail["lost"] is True
    entry = history.author(B).write("rules.support", b"")
    assert takes(history.state, entry, root=FLEET.root) is Take.UNKNOWN_AUTHOR


def test_what_a_lost_key_signed_still_gets_numbers_up_to_the_cut_and_nothing_behind_it(history: History) -> None:
    author = history.author(B)
    within, beyond = author.write("rules.support", encode(RulesSupport(version=1))), author.write("rules.support", b"")
    header = within.header
    cut = Cut(incarnation=header.incarnation, sequence=header.sequence, id=within.id)
    lost = KeyLost(machine=B, old=FLEET.key(B).key_id, new=NEW.key_id, serial=serial(1), ledger=cut)
    envelope = seal_statement(FLEET.root_key, lost, fleet=FLEET.fleet)
    assert history.say(C, "member.rotate", rotation(B, statement=envelope)).outcome.accepted
    assert takes(history.state, within, root=FLEET.root) is Take.NEXT
    assert history.commit(within).outcome.accepted
    assert takes(history.state, beyond, root=FLEET.root) is Take.UNKNOWN_AUTHOR


def test_of_two_words_about_one_lost_key_the_first_that_is_ordered_counts(history: History) -> None:
    other_key = key_from("another new key")
    for key, reason in ((NEW, ""), (other_key, "other_statement")):
        lost = KeyLost(machine=B, old=FLEET.key(B).key_id, new=key.key_id, serial=serial(1))
        envelope = seal_statement(FLEET.root_key, lost, fleet=FLEET.fleet)
        assert history.say(C, "member.rotate", rotation(B, key, statement=envelope)).outcome.reason == reason
    assert register_of(history.state, FLEET.root).members[B].key == NEW.key_id


def test_an_issuer_that_lost_its_key_lost_its_issuer_key_too_and_keeps_its_other_roles(history: History) -> None:
    lost = KeyLost(machine=A, old=FLEET.key(A).key_id, new=NEW.key_id, serial=serial(1))
    envelope = seal_statement(FLEET.root_key, lost, fleet=FLEET.fleet)
    assert history.say(C, "member.rotate", rotation(A, statement=envelope)).outcome.accepted
    register = register_of(history.state, FLEET.root)
    assert register.members[A].roles == ("approver", "member")
    assert register.issuers == ()
    assert roles_of(history, B) == ("member",)
    revocation = Revocation(machine=C, keys=(FLEET.key(C).key_id,), serial=serial(2))
    assert by_issuer(history, B, "member.remove", revocation).reason == "unknown_author"


def test_an_issuer_cannot_say_that_a_key_was_lost(history: History) -> None:
    lost = KeyLost(machine=B, old=FLEET.key(B).key_id, new=NEW.key_id, serial=serial(1))
    envelope = seal_statement(FLEET.issuer_key, lost, fleet=FLEET.fleet, author=f"issuer:{A}")
    assert history.say(A, "member.rotate", rotation(B, statement=envelope)).outcome.reason == "not_root"


def test_a_key_that_was_given_up_never_comes_back(history: History) -> None:
    assert history.say(B, "member.rotate", rotation(B)).outcome.accepted
    author = history.author(B)
    author.key = NEW
    assert history.say(B, "member.rotate", rotation(B, FLEET.key(B))).outcome.reason == "key_retired"


def test_a_certificate_for_another_key_rotates_nothing(history: History) -> None:
    body = MemberRotate(machine=B, key_id=NEW.key_id, leaf=FLEET.leaf(B), issuer=FLEET.issuer)
    assert history.say(B, "member.rotate", body).outcome.reason == "wrong_key"


# --- roles --------------------------------------------------------------------------------------------------------


def test_the_root_gives_and_takes_roles_by_whoever_carries_its_word(history: History) -> None:
    roles = MemberRoles(machine=B, roles=("approver", "member"), serial=serial(1))
    assert history.carry(C, "member.roles", roles).outcome.accepted
    assert roles_of(history, B) == ("approver", "member")
    assert history.carry(
        C, "member.roles", MemberRoles(machine=B, roles=("member",), serial=serial(2))
    ).outcome.accepted
    assert history.carry(B, "member.roles", roles).outcome.reason == "already_used"
    assert roles_of(history, B) == ("member",)


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("unknown_member", {"machine": D}),
        ("bad_role", {"roles": ("king",)}),
        ("bad_role", {"roles": ("member", "issuer")}),
    ],
    ids=str,
)
def test_roles_that_cannot_be_are_refused(history: History, reason: str, changed: dict[str, Any]) -> None:
    statement = MemberRoles(**{"machine": B, "roles": ("member",), "serial": serial(1), **changed})
    assert history.carry(A, "member.roles", statement).outcome.reason == reason


def test_an_issuer_cannot_give_roles(history: History) -> None:
    roles = MemberRoles(machine=B, roles=("approver", "member"), serial=serial(1))
    assert by_issuer(history, A, "member.roles", roles).reason == "not_root"


def test_a_statement_of_one_kind_is_none_of_another(history: History) -> None:
    person = PersonKey(person="anne", key=key_from("anne").public.raw, serial=serial(1))
    assert history.carry(A, "member.roles", person).outcome.reason == "bad_field"


def test_an_observer_authors_nothing_that_is_ordered_but_its_leave(history: History) -> None:
    history.join(D, "observer")
    claim = ClaimAcquire(name="x", ttl_ms=60_000, session="s")
    assert history.say(D, "claim.acquire", claim).outcome.reason == "no_authority"
    assert history.say(D, "rules.support", RulesSupport(version=1)).outcome.reason == "no_authority"
    assert history.say(D, "member.leave", MemberLeave()).outcome.accepted


def test_who_becomes_an_observer_holds_nothing(history: History) -> None:
    history.say(B, "claim.acquire", ClaimAcquire(name="x", ttl_ms=60_000, session="s"))
    assert history.carry(
        A, "member.roles", MemberRoles(machine=B, roles=("observer",), serial=serial(1))
    ).outcome.accepted
    assert history.told("claim.freed")[-1]["name"] == "x"


def test_a_second_issuer_admits_and_its_key_revokes(history: History) -> None:
    key = key_from("second issuer")
    der = issuer_certificate(FLEET.root_key, FLEET.root, key.public, machine=B, serial=9, now_s=NOW_S)
    roles = MemberRoles(machine=B, roles=("issuer", "member"), serial=serial(1), issuer=der)
    assert history.carry(A, "member.roles", roles).outcome.accepted
    assert history.say(B, MEMBER_ADMIT, history.admission(D, admitted_by=B)).outcome.accepted
    revocation = Revocation(machine=D, keys=(FLEET.key(D).key_id,), serial=serial(2))
    envelope = seal_statement(key, revocation, fleet=FLEET.fleet, author=f"issuer:{B}")
    assert history.say(C, "member.remove", Carrier(statement=envelope)).outcome.accepted
    assert roles_of(history, D) is None
    gone = MemberRoles(machine=B, roles=("member",), serial=serial(3))
    history.carry(A, "member.roles", gone)
    again = Revocation(machine=C, keys=(), serial=serial(4))
    envelope = seal_statement(key, again, fleet=FLEET.fleet, author=f"issuer:{B}")
    assert history.say(C, "member.remove", Carrier(statement=envelope)).outcome.reason == "unknown_author"


# --- ends ---------------------------------------------------------------------------------------------------------


def test_after_its_leave_a_machine_gets_no_numbers(history: History) -> None:
    assert history.say(B, "member.leave", MemberLeave(reason="sold")).outcome.accepted
    assert roles_of(history, B) is None
    entry = history.author(B).write("rules.support", b"")
    assert takes(history.state, entry, root=FLEET.root) is Take.UNKNOWN_AUTHOR


def test_who_belonged_to_the_fleet_at_a_number_did_so_for_ever(history: History) -> None:
    before = history.number
    assert history.say(B, "member.leave", MemberLeave()).outcome.accepted
    left = history.number
    history.join(D)
    register = register_of(history.state, FLEET.root)
    assert [sorted(register.belonged(number)) for number in (before, left, history.number)] == [
        [A, B, C],
        [A, C],
        [A, C, D],
    ]


def test_an_issuer_retires_a_machine_but_no_issuer(history: History) -> None:
    assert history.say(B, "member.retire", MemberRetire(machine=C)).outcome.reason == "no_authority"
    assert history.say(A, "member.retire", MemberRetire(machine=A)).outcome.reason == "needs_root"
    assert history.say(A, "member.retire", MemberRetire(machine=D)).outcome.reason == "unknown_member"
    assert history.say(A, "member.retire", MemberRetire(machine=C)).outcome.accepted
    assert roles_of(history, C) is None


def test_a_revoked_machines_entries_up_to_the_cut_get_numbers_and_have_no_effect(history: History) -> None:
    author = history.author(B)
    two = [author.write("rules.support", b"") for _ in range(2)]
    cut = Cut(incarnation=1, sequence=two[0].header.sequence, id=two[0].id)
    revocation = Revocation(machine=B, keys=(FLEET.key(B).key_id,), serial=serial(1), ledger=cut)
    assert by_issuer(history, C, "member.remove", revocation).accepted
    assert history.commit(two[0]).outcome.reason == "not_a_member"
    assert takes(history.state, two[1], root=FLEET.root) is Take.UNKNOWN_AUTHOR


def test_of_several_revocations_the_lowest_cut_holds(history: History) -> None:
    author = history.author(B)
    waiting = author.write("rules.support", b"")
    for number, sequence in ((1, 9), (2, 1), (3, 9)):
        cut = Cut(incarnation=1, sequence=sequence)
        revocation = Revocation(machine=B, keys=(FLEET.key(B).key_id,), serial=serial(number), ledger=cut)
        assert by_issuer(history, C, "member.remove", revocation).accepted
    assert takes(history.state, waiting, root=FLEET.root) is Take.UNKNOWN_AUTHOR


def test_an_issuer_is_revoked_by_the_root_alone(history: History) -> None:
    history.join(D, "issuer", "member")
    revocation = Revocation(machine=D, keys=(FLEET.key(D).key_id,), serial=serial(1))
    assert by_issuer(history, A, "member.remove", revocation).reason == "needs_root"
    assert history.carry(B, "member.remove", revocation).outcome.accepted


def test_who_comes_back_takes_a_new_key(history: History) -> None:
    history.say(B, "member.leave", MemberLeave())
    assert history.admit(B).outcome.reason == "key_retired"
    body = history.admission(B, key=NEW.key_id, leaf=FLEET.leaf(B, key=NEW))
    assert history.say(A, MEMBER_ADMIT, body).outcome.accepted
    assert roles_of(history, B) == ("member",)


def test_a_settled_fork_goes_on_with_the_branch_that_is_kept(history: History) -> None:
    author = history.author(B)
    sequence, previous = author.sequence, author.previous
    one = author.write("rules.support", b"one")
    author.sequence, author.previous = sequence, previous
    two = author.write("rules.support", b"two")
    place: dict[str, Any] = {"machine": B, "incarnation": 1, "chain": "ledger", "sequence": sequence + 1}
    assert history.say(A, "member.settle", MemberSettle(**place, keep=two.id)).outcome.accepted
    assert takes(history.state, one, root=FLEET.root) is Take.OTHER_BRANCH
    history.commit(two)
    assert history.say(A, "member.settle", MemberSettle(**place, keep=one.id)).outcome.reason == "already_ordered"
    assert history.say(C, "member.settle", MemberSettle(**place, keep=two.id)).outcome.reason == "no_authority"


# --- persons ------------------------------------------------------------------------------------------------------


def person(name: str = "anne", number: int = 1, key: str = "anne", replaces: str = "") -> PersonKey:
    old = key_from(replaces).public.raw if replaces else b""
    return PersonKey(person=name, key=key_from(key).public.raw, serial=serial(number), replaces=old)


def test_persons_are_the_roots_business(history: History) -> None:
    assert by_issuer(history, A, "person.add", person()).reason == "not_root"
    assert history.carry(B, "person.add", person()).outcome.accepted
    assert history.carry(B, "person.add", person(number=2)).outcome.reason == "already_known"
    rotation = person(number=3, key="anne 2", replaces="anne")
    assert history.carry(B, "person.rotate", rotation).outcome.accepted
    assert history.carry(B, "person.rotate", person("bert", 4)).outcome.reason == "unknown_person"
    assert register_view(history.state, FLEET.root)["approvers"] == ["anne"]
    removal = PersonRemoval(person="anne", serial=serial(5))
    assert history.carry(B, "person.remove", removal).outcome.accepted
    assert (
        history.carry(B, "person.remove", PersonRemoval(person="anne", serial=serial(6))).outcome.reason
        == "unknown_person"
    )


def test_a_person_who_was_removed_does_not_come_back_by_an_old_statement(history: History) -> None:
    history.carry(B, "person.add", person())
    history.carry(B, "person.remove", PersonRemoval(person="anne", serial=serial(2)))
    assert history.carry(B, "person.add", person()).outcome.reason == "already_used"


def test_a_key_that_was_never_used_does_not_turn_up_as_a_rotation(history: History) -> None:
    history.carry(B, "person.add", person())
    stale = person(number=2, key="an earlier attempt")
    assert history.carry(C, "person.rotate", stale).outcome.reason == "other_statement"
    other = person("bert", 3, replaces="anne")
    assert history.carry(C, "person.add", other).outcome.reason == "other_statement"


def test_a_statement_whose_time_is_over_says_nothing(history: History) -> None:
    roles = MemberRoles(machine=B, roles=("approver", "member"), serial=serial(1), not_after_ms=history.time_ms)
    history.wait(0.001)
    assert history.carry(C, "member.roles", roles).outcome.reason == "too_late"
    assert roles_of(history, B) == ("member",)


def test_a_statement_of_another_fleet_says_nothing(history: History) -> None:
    other = type(FLEET)("elsewhere")
    envelope = seal_statement(other.root_key, person(), fleet=other.fleet, author=ROOT_AUTHOR)
    assert history.say(A, "person.add", Carrier(statement=envelope)).outcome.reason == "wrong_fleet"
