"""What nobody may do without the role: by the API's token alone, as a plain member, or with a member's own key.

``alice`` founded the fleet, so it is issuer and approver; ``berta`` is a plain member. ``mallory`` is another one whose
node never runs: its key writes what a changed program could write. After everything that was refused, whatever the
fleet has decided is as it was.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest

from roosync_p2p.adapters.keystore import load_identity, load_root_key
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.ledger.bodies import (
    Carrier,
    ClaimSteal,
    MemberRetire,
    OrderedBody,
    PolicySet,
    RulesActivate,
    VotersPrefer,
)
from roosync_p2p.ledger.decision_bodies import (
    DecisionApprove,
    DecisionArchive,
    DecisionReject,
    DecisionReport,
    DecisionRollback,
)
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import MemberAdmit, MemberRoles, PersonKey, TimeReset, seal_statement
from tests.helpers.caller import Caller, Chainsmith
from tests.helpers.fleet import ADMIN as _ADMIN
from tests.helpers.fleet import Fleet, Machine, until

_SIGNATURE: Final = base64.b64encode(os.urandom(64)).decode()
_ACTION: Final = {"op": "set", "resource": "config:ci.json#/python", "value": "3.13"}


class _Unix(http.client.HTTPConnection):
    """A connection to a node's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _ask(machine: Machine, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """What a program does that has read ``api.json`` and nothing else; status and document."""
    api = json.loads((machine.home / "api.json").read_text())
    headers = {"Authorization": f"Bearer {api['token']}", "Content-Type": "application/json"}
    with contextlib.closing(_Unix(api["socket"])) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        return answer.status, document


def _refused(machine: Machine, path: str, body: object) -> str:
    """The code of a refusal, which says what is wrong."""
    status, problem = _ask(machine, "POST", path, body)
    assert 400 <= status < 500, problem
    assert problem["detail"]
    return str(problem["code"])


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "mallory") as fleet:
        fleet.start_all("alice", "berta")
        fleet.until_linked()
        until(lambda: _size(fleet.machines["berta"]) >= 6, 50, what="both are members", shown=fleet.report)
        yield fleet


@pytest.fixture
def alice(fleet: Fleet) -> Machine:
    return fleet.machines["alice"]


@pytest.fixture
def berta(fleet: Fleet) -> Machine:
    return fleet.machines["berta"]


@pytest.fixture
def decision(alice: Machine) -> Iterator[str]:
    """One that waits; alice may not approve it, since it is its own and somebody else may."""
    proposed = alice.client.propose("Python 3.13", [_ACTION], targets=["alice"])
    yield str(proposed["id"])
    alice.client.cancel_request(alice.client.decision(proposed["id"])["decisions"][0]["entry"])


@pytest.fixture(autouse=True)
def nothing_changed(alice: Machine, berta: Machine, decision: str) -> Iterator[None]:
    """Whatever a test tried, both show the same as before."""
    before = _decided(alice)
    alice.client.claim("held", ttl_s=600)
    yield
    until(lambda: _size(alice) == _size(berta), 30, what="both are equally far")
    for machine in (alice, berta):
        assert _decided(machine) == before
        shown = machine.client.decision(decision)["decisions"][0]
        assert (shown["state"], shown["approved_by"]) == ("pending", [])
        (held,) = machine.client.claims()["claims"]
        assert (held["name"], held["holder"]["machine"]) == ("held", "alice")


def _size(machine: Machine) -> int:
    size: int = machine.client.status()["commit"]["size"]
    return size


def _decided(machine: Machine) -> object:
    """Members, persons, approvers, policies, voters, wishes, baseline and what is in effect."""
    register, voters = machine.client.register(), machine.client.voters()
    in_effect = [row["id"] for row in machine.client.decisions()["decisions"] if row["state"] == "approved"]
    return (
        [register[key] for key in ("members", "persons", "approvers")],
        machine.client.policies()["policies"],
        ([row["machine"] for row in voters["voters"]], voters["preferred"], voters["epoch"]),
        machine.client.baseline()["version"],
        in_effect,
    )


# --- a plain member --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_plain_member_cannot_judge_a_decision(berta: Machine, decision: str, verb: str) -> None:
    assert _refused(berta, f"/v1/decisions/{decision}/{verb}", {}) == "no_authority"
    person = {"person": "jsboige", "signature": _SIGNATURE}
    assert _refused(berta, f"/v1/decisions/{decision}/{verb}", {"person": person}) == "unknown_person"
    assert berta.refusal("decision", verb, decision)["code"] == "no_authority"


def test_a_plain_member_cannot_approve_while_it_proposes(berta: Machine) -> None:
    status, proposed = _ask(berta, "POST", "/v1/decisions", {"title": "x", "actions": [_ACTION], "approve": True})
    assert (status, proposed["code"]) == (409, "unknown_target"), "nobody to do it"
    asked = {"title": "x", "actions": [_ACTION], "targets": ["berta"], "approve": True}
    status, proposed = _ask(berta, "POST", "/v1/decisions", asked)
    assert (status, proposed["state"], proposed["approved_by"]) == (200, "pending", [])
    status, changed = _ask(berta, "POST", "/v1/baseline", {"patch": {"a": 1}, "approve": True})
    assert (status, changed["state"]) == (200, "pending")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/policies", {"name": "approvals.decisions", "value": 3, "approve": True}, "no_authority"),
        ("/v1/voters/prefer", {"machines": ["berta"], "approve": True}, "no_authority"),
        ("/v1/members/retire", {"machine": "mallory"}, "no_authority"),
        ("/v1/claims/steal", {"name": "held", "user": "eve", "process": 1}, "no_authority"),
        ("/v1/claims/release", {"name": "held", "user": "eve", "process": 1}, "not_holder"),
        ("/v1/claims/renew", {"name": "held", "user": "eve", "process": 1}, "not_holder"),
        ("/v1/invites", {"machine": "eve-01"}, "not_an_issuer"),
    ],
    ids=["policy", "voters", "retire", "steal", "release", "renew", "invite"],
)
def test_a_plain_member_is_refused_by_name_what_takes_a_role(
    berta: Machine, path: str, body: dict[str, object], code: str
) -> None:
    assert _refused(berta, path, body) == code


def test_a_plain_member_admits_nobody(fleet: Fleet, berta: Machine) -> None:
    eve = fleet.add(f"eve-{os.urandom(3).hex()}")
    eve.run("request", "--machine", eve.name, tool=_ADMIN)
    request = next(eve.home.rglob("request*.pem")).read_text()
    assert _refused(berta, "/v1/certificates", {"request_pem": request}) == "not_an_issuer"
    del fleet.machines[eve.name]


def test_no_request_names_its_author(alice: Machine, berta: Machine, decision: str) -> None:
    for name in ("author", "machine", "as", "signer"):
        body = {"title": "x", "actions": [_ACTION], "targets": ["alice"], name: "alice"}
        assert _refused(berta, "/v1/decisions", body) == "bad_field"
        assert _refused(berta, f"/v1/decisions/{decision}/approve", {name: "alice"}) == "bad_field"
        assert _refused(berta, "/v1/claims", {"name": "n", "user": "u", "process": 1, name: "alice"}) == "bad_field"
    assert _refused(berta, f"/v1/decisions/{decision}/apply", {"step": "start"}) == "not_a_target"
    assert _refused(berta, f"/v1/decisions/{decision}/rollback", {}) == "wrong_state"


def test_what_only_the_root_may_say_is_refused_from_a_member_and_from_an_issuer(
    fleet: Fleet, alice: Machine, berta: Machine
) -> None:
    ours, issuer = load_identity(berta.home), load_identity(alice.home).issuer_key
    assert issuer is not None
    person = PersonKey(person="eve", key=SigningKey(os.urandom(32)).public.raw, serial=os.urandom(16))
    roles = MemberRoles(machine=MachineId("berta"), roles=("approver", "member"), serial=os.urandom(16))
    reset = TimeReset(time_ms=1, serial=os.urandom(16))
    signers = [
        (ours.key, "root", "unknown_key"),
        (ours.key, "berta", "unknown_author"),
        (issuer, "root", "unknown_key"),
        (issuer, "issuer:alice", "not_root"),
    ]
    for kind, said in (("person.add", person), ("member.roles", roles), ("time.reset", reset)):
        for key, author, code in signers:
            forged = seal_statement(key, said, fleet=FleetId(ours.fleet), author=author)
            body = {"kind": kind, "statement": base64.b64encode(forged).decode()}
            for machine in (alice, berta):
                assert _refused(machine, "/v1/statements", body) == code


def test_a_token_that_is_not_the_nodes_is_nobody(alice: Machine, berta: Machine) -> None:
    theirs = json.loads((berta.home / "api.json").read_text())["token"]
    api = json.loads((alice.home / "api.json").read_text())
    with contextlib.closing(_Unix(api["socket"])) as connection:
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {theirs}"})
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (401, "unauthorized")


# --- a member's own key ----------------------------------------------------------------------------------------------


def test_what_a_members_key_signs_beyond_its_roles_is_ordered_and_refused(
    fleet: Fleet, alice: Machine, decision: str
) -> None:
    mallory = load_identity(fleet.machines["mallory"].home)
    revision = bytes.fromhex(alice.client.decision(decision)["decisions"][0]["revision"])
    eve = MemberAdmit(
        machine=MachineId("eve-01"),
        key=os.urandom(32),
        roles=("member",),
        leaf=mallory.leaf,
        issuer=mallory.issuer,
        invite=b"",
        admitted_by=MachineId("mallory"),
    )
    forged = seal_statement(
        mallory.key,
        MemberRoles(machine=MachineId("mallory"), roles=("approver", "member"), serial=os.urandom(16)),
        fleet=FleetId(mallory.fleet),
        author="mallory",
    )
    attempts: list[tuple[str, OrderedBody | MemberAdmit, str]] = [
        ("decision.approve", DecisionApprove(decision=decision, revision=revision), "no_authority"),
        ("decision.reject", DecisionReject(decision=decision, revision=revision), "no_authority"),
        ("decision.archive", DecisionArchive(decision=decision), "no_authority"),
        ("decision.report", DecisionReport(decision=decision, attempt=1, result="applied"), "not_a_target"),
        ("decision.rollback", DecisionRollback(decision=decision), "wrong_state"),
        ("policy.set", PolicySet(name="approvals.decisions", value=b"3", approve=True), "no_authority"),
        ("voters.prefer", VotersPrefer(machines=(MachineId("mallory"),), approve=True), "no_authority"),
        ("rules.activate", RulesActivate(version=2, approve=True), "no_authority"),
        ("member.retire", MemberRetire(machine=MachineId("alice")), "no_authority"),
        ("claim.steal", ClaimSteal(name="held", ttl_ms=60_000, session="s"), "no_authority"),
        ("member.roles", Carrier(statement=forged), "unknown_author"),
        ("member.admit", eve, "no_authority"),
    ]
    with Caller(mallory, alice.listen) as link:
        link.greet()
        link.next(wire.Hello)
        smith = Chainsmith(mallory, chain=LEDGER)
        entries = [smith.begin(), *(smith.write(kind, encode(body)) for kind, body, _ in attempts)]
        link.send(wire.EntriesFrame(entries=[wire.WireEntry(header=entry.raw, body=entry.body) for entry in entries]))
        ordered: dict[str, dict[str, Any]] = {}

        def all_ordered() -> bool:
            ordered.update({row["id"]: row for row in alice.client.log(limit=100)["entries"]})
            return all(entry.id.hex() in ordered for entry in entries)

        until(all_ordered, 50, what="all of it has a number", shown=lambda: f"{alice.counters()}\n{alice.log()}")
    for entry, (kind, _, code) in zip(entries[1:], attempts, strict=True):
        assert ordered[entry.id.hex()]["outcome"] == {"accepted": False, "reason": code}, kind


# --- a fleet with a person -------------------------------------------------------------------------------------------


def test_once_a_person_exists_the_token_of_the_approvers_own_machine_approves_nothing(
    fleet: Fleet, alice: Machine, berta: Machine
) -> None:
    asked = {"title": "By an agent", "actions": [_ACTION], "targets": ["berta"]}
    _, proposed = _ask(berta, "POST", "/v1/decisions", asked)
    path = f"/v1/decisions/{proposed['id']}"
    root, key = load_root_key(alice.home, None), SigningKey(os.urandom(32))
    said = PersonKey(person="jsboige", key=key.public.raw, serial=os.urandom(16))
    _carry(alice, "person.add", seal_statement(root, said, fleet=FleetId(root.key_id)))
    try:
        for verb in ("approve", "reject"):
            assert _refused(alice, f"{path}/{verb}", {}) == "needs_person"
            assert alice.refusal("decision", verb, proposed["id"])["code"] == "needs_person"
            person = {"person": "jsboige", "signature": _SIGNATURE}
            assert _refused(alice, f"{path}/{verb}", {"person": person}) == "bad_signature"
            by_machine = load_identity(alice.home).key.sign(proposed["revision"].encode())
            person["signature"] = base64.b64encode(by_machine).decode()
            assert _refused(alice, f"{path}/{verb}", {"person": person}) == "bad_signature"
        policy = {"name": "decisions.expire_days", "value": 7, "approve": True}
        assert _ask(alice, "POST", "/v1/policies", policy)[1]["state"] == "pending"
        wish = {"machines": ["berta"], "approve": True}
        assert _ask(alice, "POST", "/v1/voters/prefer", wish)[1]["state"] == "pending"
        assert _ask(alice, "POST", "/v1/baseline", {"patch": {"a": 1}, "approve": True})[1]["state"] == "pending"
        assert berta.client.decision(proposed["id"])["decisions"][0]["state"] == "pending"
    finally:
        alice.run("person", "remove", "jsboige", tool=_ADMIN)


def _carry(machine: Machine, kind: str, statement: bytes) -> None:
    body = {"kind": kind, "statement": base64.b64encode(statement).decode()}
    status, answer = _ask(machine, "POST", "/v1/statements", body)
    assert status == 200, answer
