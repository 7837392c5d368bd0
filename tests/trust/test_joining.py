"""Joining: the two sides meet in memory; then one of them lies, once a test."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.errors import ConflictError, InputFault, PeerFault, SignatureFault, StaleError, UntrustedError
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import certificate_request
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.invites import Invite, JoinCode
from roosync_p2p.trust.joining import IssuerSession, JoinerSession, JoinRequest
from roosync_p2p.trust.keys import SigningKey
from tests.helpers.trust import NOW_S, ExampleFleet, accepted_or_documented, key_from, refused_with

_FLEET = ExampleFleet()
_ISSUER = MachineId("myia-ai-01")
_JOINER = MachineId("myia-web1")
_DIRECTORY = _FLEET.directory(_ISSUER)
_INVITE = Invite(invite=b"invite 1", secret=b"a 16 byte secret", expires_s=NOW_S + 60)
_CODE = JoinCode(
    fleet=_FLEET.fleet,
    issuer=_ISSUER,
    invite=_INVITE.invite,
    secret=_INVITE.secret,
    contacts=(),
    machine=None,
    expires_s=_INVITE.expires_s,
)


def _issuer(fleet: ExampleFleet = _FLEET, machine: str = _ISSUER, nonce: bytes = b"i" * 32) -> IssuerSession:
    return IssuerSession(leaf=fleet.leaf(machine), issuer=fleet.issuer, root=fleet.root, nonce=nonce)


def _joiner(
    code: JoinCode = _CODE, machine: MachineId = _JOINER, key: SigningKey | None = None, nonce: bytes = b"j" * 32
) -> JoinerSession:
    return JoinerSession(code, machine, key or _FLEET.key(machine), nonce, time_ms=NOW_S * 1000)


def _requested(joiner: JoinerSession, issuer: IssuerSession) -> bytes:
    return joiner.on_hello(issuer.hello(), peer_leaf_der=_FLEET.leaf(_ISSUER))


def _judged(
    issuer: IssuerSession,
    request: bytes,
    *,
    invite: Invite = _INVITE,
    directory: Directory = _DIRECTORY,
    now_s: int = NOW_S,
) -> JoinRequest:
    return issuer.on_request(request, invites={invite.invite: invite}, directory=directory, now_s=now_s)


def _changed(data: bytes, **fields: object) -> bytes:
    value = unpack(data)
    assert isinstance(value, dict)
    return pack({**value, **fields})


def _exchange(
    *, code: JoinCode = _CODE, invite: Invite = _INVITE, machine: MachineId = _JOINER, key: SigningKey | None = None
) -> tuple[JoinerSession, IssuerSession, JoinRequest]:
    joiner, issuer = _joiner(code, machine, key), _issuer()
    return joiner, issuer, _judged(issuer, _requested(joiner, issuer), invite=invite)


def test_a_machine_with_a_code_gets_its_certificate() -> None:
    joiner, issuer, accepted = _exchange()
    assert accepted.request.machine == _JOINER
    assert accepted.request.public == _FLEET.key(_JOINER).public
    assert (accepted.invite, accepted.repeated) == (_INVITE, False)
    enrolment = joiner.on_answer(issuer.answer(_FLEET.leaf(_JOINER), _FLEET.issuer))
    assert enrolment == Enrolment.checked(leaf=_FLEET.leaf(_JOINER), issuer=_FLEET.issuer, root=_FLEET.root)


def test_every_message_is_within_its_bound_and_the_secret_in_none() -> None:
    joiner, issuer = _joiner(), _issuer()
    request = _requested(joiner, issuer)
    _judged(issuer, request)
    for message in (issuer.hello(), request, issuer.answer(_FLEET.leaf(_JOINER), _FLEET.issuer)):
        assert len(message) <= limits.JOIN_MESSAGE_BYTES_MAX / 4
        assert _CODE.secret not in message


# --- the joiner recognises the issuer before it says anything -----------------------------------------------------


def test_another_fleet_behind_the_address_is_recognised() -> None:
    other = ExampleFleet("elsewhere")
    hello = _issuer(other).hello()
    error = refused_with("wrong_fleet", lambda: _joiner().on_hello(hello, peer_leaf_der=other.leaf(_ISSUER)))
    assert error.details["expected"] == _FLEET.fleet.hex()


def test_a_relayed_hello_is_recognised_by_the_tls_session() -> None:
    """A man in the middle shows the issuer's hello; his own certificate is another."""
    refused_with(
        "wrong_tls_peer", lambda: _joiner().on_hello(_issuer().hello(), peer_leaf_der=_FLEET.leaf("myia-po-2023"))
    )


def test_another_member_of_the_fleet_cannot_pose_as_the_issuer() -> None:
    member = "myia-po-2023"
    hello = _issuer(machine=member).hello()
    refused_with("wrong_issuer", lambda: _joiner().on_hello(hello, peer_leaf_der=_FLEET.leaf(member)))


def test_a_hello_with_a_chain_that_does_not_hold_is_refused() -> None:
    other = ExampleFleet("elsewhere")
    hello = _changed(_issuer().hello(), root=other.root)
    refused_with("wrong_fleet", lambda: _joiner().on_hello(hello, peer_leaf_der=_FLEET.leaf(_ISSUER)))


def test_a_code_for_another_machine_is_refused_before_anything_is_sent() -> None:
    code = dataclasses.replace(_CODE, machine=MachineId("myia-po-2023"))
    with pytest.raises(InputFault) as caught:
        _joiner(code)
    assert caught.value.code == "invite_other_machine"


# --- the issuer judges the request --------------------------------------------------------------------------------


def test_an_invite_that_nobody_made_is_unknown() -> None:
    issuer, code = _issuer(), dataclasses.replace(_CODE, invite=b"no such!")
    error = refused_with("invite_unknown", lambda: _judged(issuer, _requested(_joiner(code), issuer)))
    assert isinstance(error, UntrustedError)


def test_without_the_secret_nothing_is_said_about_the_invite() -> None:
    """Also when it is used up and expired: only who knows the code hears that."""
    code = dataclasses.replace(_CODE, secret=bytes(16))
    used = _used(_FLEET.key("somebody"))
    for invite in (_INVITE, used):
        issuer = _issuer()
        request = _requested(_joiner(code), issuer)
        error = refused_with("bad_proof", functools.partial(_judged, issuer, request, invite=invite))
        assert isinstance(error, SignatureFault)


def test_a_proof_from_another_session_is_refused() -> None:
    request = _requested(_joiner(), _issuer())
    refused_with("bad_proof", lambda: _judged(_issuer(nonce=b"n" * 32), request))


def test_a_proof_for_another_issuers_certificate_is_refused() -> None:
    request = _requested(_joiner(), _issuer())
    refused_with("bad_proof", lambda: _judged(_issuer(machine="myia-po-2023"), request))


@pytest.mark.parametrize(
    "fields",
    [
        {"nonce": b"x" * 32},
        {"request": certificate_request(key_from("thief"), _JOINER)},
        {"proof": bytes(32)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_request_that_was_changed_on_its_way_is_refused(fields: Mapping[str, object]) -> None:
    issuer = _issuer()
    request = _changed(_requested(_joiner(), issuer), **fields)
    refused_with("bad_proof", lambda: _judged(issuer, request))


def _used(key: SigningKey, machine: MachineId = _JOINER) -> Invite:
    return _INVITE.redeemed(
        machine=machine, key_id=key.key_id, leaf=_FLEET.leaf(machine, key=key), issuer_der=_FLEET.issuer
    )


def test_a_code_works_once() -> None:
    error = refused_with("invite_used", lambda: _exchange(invite=_used(key_from("first"))))
    assert isinstance(error, StaleError)


def test_a_code_does_not_give_one_key_two_machine_ids() -> None:
    key = key_from("greedy")
    refused_with("invite_used", lambda: _exchange(invite=_used(key), machine=MachineId("myia-web2"), key=key))


def test_a_lost_answer_can_be_asked_for_again_with_the_same_key() -> None:
    used = _used(_FLEET.key(_JOINER))
    joiner, issuer, accepted = _exchange(invite=used)
    assert accepted.repeated
    assert joiner.on_answer(issuer.answer(accepted.invite.leaf, accepted.invite.issuer_der)).machine == _JOINER


def test_a_lost_answer_can_be_asked_for_again_after_the_expiry_and_as_a_member() -> None:
    issuer, directory = _issuer(), _FLEET.directory(_ISSUER, _JOINER)
    request = _requested(_joiner(), issuer)
    invite = _used(_FLEET.key(_JOINER))
    assert _judged(issuer, request, invite=invite, directory=directory, now_s=NOW_S + 10**6).repeated


def test_an_expired_code_is_refused() -> None:
    issuer = _issuer()
    request = _requested(_joiner(), issuer)
    error = refused_with("invite_expired", lambda: _judged(issuer, request, now_s=_INVITE.expires_s + 1))
    assert isinstance(error, StaleError)
    issuer = _issuer()
    assert _judged(issuer, _requested(_joiner(), issuer), now_s=_INVITE.expires_s).invite == _INVITE


def test_an_invite_for_one_machine_admits_no_other() -> None:
    """The joiner may have altered its copy of the code; the issuer has its own."""
    invite = msgspec.structs.replace(_INVITE, machine=MachineId("myia-po-2023"))
    error = refused_with("invite_other_machine", lambda: _exchange(invite=invite))
    assert isinstance(error, UntrustedError)


def test_the_id_of_a_living_machine_is_refused() -> None:
    issuer, directory = _issuer(), _FLEET.directory(_ISSUER, _JOINER)
    request = _requested(_joiner(key=key_from("second computer")), issuer)
    error = refused_with("machine_exists", lambda: _judged(issuer, request, directory=directory))
    assert isinstance(error, ConflictError)
    assert error.remedy


def test_a_session_takes_one_request() -> None:
    """Else one connection could be used to guess, and nonces would be used twice."""
    _, issuer, _ = _exchange()
    refused_with("out_of_order", lambda: _judged(issuer, _requested(_joiner(), _issuer())))


def test_a_certificate_request_that_is_none_is_refused_though_it_is_proven() -> None:
    """The holder of a code is not trusted with more than its code."""
    joiner, issuer = _joiner(), _issuer()
    _requested(joiner, issuer)
    transcript = joiner._transcript
    assert transcript is not None
    lying = dataclasses.replace(transcript, request=b"\x30\x03abc")
    request = {
        "kind": "join.request",
        "invite": _CODE.invite,
        "nonce": b"j" * 32,
        "request": lying.request,
        "proof": lying.mac(_CODE.secret, b"roosync/join/proof/1"),
    }
    refused_with("bad_request", lambda: _judged(issuer, pack(request)))


# --- the joiner judges the answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invite_used", StaleError),
        ("invite_expired", StaleError),
        ("invite_other_machine", UntrustedError),
        ("machine_exists", ConflictError),
        ("something_newer", PeerFault),
    ],
)
def test_a_refusal_arrives_with_its_words_and_its_class(code: str, kind: type[PeerFault]) -> None:
    joiner, issuer, _ = _exchange()
    answer = issuer.refuse(kind("no, because", code=code))
    error = refused_with(code, lambda: joiner.on_answer(answer))
    assert type(error) is kind
    assert error.message == "no, because"
    assert error.details["bound"] is True


def test_a_refusal_that_cannot_be_bound_says_so() -> None:
    joiner, issuer = _joiner(dataclasses.replace(_CODE, invite=b"no such!")), _issuer()
    request = _requested(joiner, issuer)
    refusal = refused_with("invite_unknown", lambda: _judged(issuer, request))
    error = refused_with("invite_unknown", lambda: joiner.on_answer(issuer.refuse(refusal)))
    assert error.details["bound"] is False


def test_an_answer_without_the_secret_is_refused() -> None:
    joiner, issuer, _ = _exchange()
    answer = issuer.answer(_FLEET.leaf(_JOINER), _FLEET.issuer)
    for mac in (b"", bytes(32)):
        forged = _changed(answer, mac=mac)
        with pytest.raises(SignatureFault) as caught:
            joiner.on_answer(forged)
        assert caught.value.code == "bad_proof"


def test_an_answer_to_another_request_is_refused() -> None:
    joiner, _, _ = _exchange()
    other_joiner, other_issuer = _joiner(nonce=b"o" * 32), _issuer()
    _judged(other_issuer, _requested(other_joiner, other_issuer))
    answer = other_issuer.answer(_FLEET.leaf(_JOINER), _FLEET.issuer)
    refused_with("bad_proof", lambda: joiner.on_answer(answer))


def test_a_proof_sent_back_is_no_answer() -> None:
    joiner, issuer = _joiner(), _issuer()
    request = unpack(_requested(joiner, issuer))
    assert isinstance(request, dict)
    reflected = pack({"kind": "join.answer", "body": b"\x80", "mac": request["proof"]})
    refused_with("bad_proof", lambda: joiner.on_answer(reflected))


@pytest.mark.parametrize(
    ("code", "leaf", "issuer_der"),
    [
        ("wrong_key", _FLEET.leaf(_JOINER, key=key_from("other")), _FLEET.issuer),
        ("wrong_machine", _FLEET.leaf("myia-web2", key=_FLEET.key(_JOINER)), _FLEET.issuer),
        ("wrong_fleet", ExampleFleet("elsewhere").leaf(_JOINER), ExampleFleet("elsewhere").issuer),
        ("bad_certificate", b"", b""),
    ],
)
def test_an_issuer_that_answers_nonsense_is_found_out(code: str, leaf: bytes, issuer_der: bytes) -> None:
    joiner, issuer, _ = _exchange()
    answer = issuer.answer(leaf, issuer_der)
    refused_with(code, lambda: joiner.on_answer(answer))


def test_an_answer_under_a_second_issuer_key_of_the_fleet_is_accepted() -> None:
    """The issuer's own certificate need not be signed by the key with which it issues."""
    renewed = dataclasses.replace(_FLEET)
    joiner, issuer, _ = _exchange()
    assert joiner.on_answer(issuer.answer(renewed.leaf(_JOINER), renewed.issuer)).fleet == FleetId(_FLEET.fleet)


# --- anything -----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_any_bytes_are_a_joining_message_or_a_documented_error(data: bytes) -> None:
    """Invariant: accepted, or a documented error, at each of the three places where bytes come in."""
    accepted_or_documented(lambda: _joiner().on_hello(data, peer_leaf_der=b""))
    accepted_or_documented(lambda: _judged(_issuer(), data))
    joiner, _, _ = _exchange()
    accepted_or_documented(lambda: joiner.on_answer(data))


_values = (
    st.none() | st.integers(-5, 5) | st.text(max_size=8) | st.binary(max_size=40) | st.lists(st.none(), max_size=2)
)


@given(
    st.sampled_from(["kind", "leaf", "issuer", "root", "nonce", "invite", "request", "proof", "body", "mac"]), _values
)
def test_any_field_of_another_kind_is_a_documented_error(field: str, value: object) -> None:
    """Invariant: accepted, or a documented error, for each message with one field replaced or added."""
    leaf = _FLEET.leaf(_ISSUER)
    accepted_or_documented(
        lambda: _joiner().on_hello(_changed(_issuer().hello(), **{field: value}), peer_leaf_der=leaf)
    )
    joiner, issuer = _joiner(), _issuer()
    request = _requested(joiner, issuer)
    accepted_or_documented(lambda: _judged(issuer, _changed(request, **{field: value})))
    joiner, issuer, _ = _exchange()
    answer = issuer.answer(_FLEET.leaf(_JOINER), _FLEET.issuer)
    accepted_or_documented(lambda: joiner.on_answer(_changed(answer, **{field: value})))
