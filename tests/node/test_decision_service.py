"""Decisions and the fleet's own documents for users, on a node that decides alone."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roosync_p2p.api import decision_schemas as schemas
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import FleetId
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import PersonKey, seal_statement, verdict_bytes
from tests.helpers.cores import A, identity, keys
from tests.helpers.deciding_node import Deciding, deciding, said

pytestmark = pytest.mark.anyio

SET = schemas.ActionSaid(op="set", resource="config:ci.json#/python", value="3.13")


def _propose(title: str = "Python 3.13", **more: Any) -> schemas.ProposeRequest:
    return schemas.ProposeRequest(title=title, **{"targets": ("ALL",), "actions": (SET,), **more})


async def test_a_proposal_is_answered_with_the_decision_as_it_is_then(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        proposed = await node.decisions.propose(_propose(description="été", severity="CRITICAL"))
        assert proposed["id"] == f"D{node.number}"
        assert (proposed["state"], proposed["severity"], proposed["based_on"]) == ("pending", "CRITICAL", 3)
        assert proposed["targets"] == {A: dict.fromkeys(proposed["targets"][A], None) | proposed["targets"][A]}
        assert (proposed["conflicts"], proposed["warnings"]) == ([], [])
        msgspec.convert(proposed, schemas.Decision)
        listed = await node.decisions.decisions(said(state="pending", limit=10))
        assert [row["id"] for row in listed["decisions"]] == [proposed["id"]]
        assert (await node.decisions.decisions(said(state="applied", limit=10)))["decisions"] == []
        shown = (await node.decisions.decision(proposed["id"]))["decisions"][0]
        assert shown["actions"] == [{"op": "set", "resource": "config:ci.json#/python", "value": "3.13"}]


async def test_resources_and_values_are_brought_into_their_one_form(tmp_path: Path) -> None:
    actions = (
        schemas.ActionSaid(op="set", resource=r"file:a\.\b//c#/x", value={"b": 1.0, "a": [None, True]}),
        schemas.ActionSaid(op="file", resource="file:d", content=base64.b64encode(b"\x00\xff").decode()),
        schemas.ActionSaid(op="run", resource="service:node", name="restart", arguments=("now",)),
    )
    async with deciding(tmp_path) as node:
        proposed = await node.decisions.propose(_propose(actions=actions))
    assert proposed["actions"][0] == {"op": "set", "resource": "file:a/b/c#/x", "value": {"a": [None, True], "b": 1}}
    assert base64.b64decode(proposed["actions"][1]["content"]) == b"\x00\xff"
    assert proposed["actions"][2]["arguments"] == ["now"]


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"op": "set", "resource": "nothing", "value": 1}, "bad_resource"),
        ({"op": "set", "resource": "file:../x", "value": 1}, "bad_resource"),
        ({"op": "set", "resource": "file:x", "value": 2**70}, "bad_json"),
        ({"op": "file", "resource": "file:x", "content": "é"}, "bad_action"),
        ({"op": "file", "resource": "file:x", "content": "A"}, "bad_action"),
        ({"op": "run", "resource": "service:x", "name": "rm -rf"}, "bad_action"),
        ({"op": "set", "resource": "file:x"}, "bad_action"),
        ({"op": "set", "resource": "policy:fleet#/x", "value": 1}, "reserved_resource"),
    ],
)
async def test_what_is_no_action_is_refused_by_name(tmp_path: Path, action: dict[str, Any], code: str) -> None:
    async with deciding(tmp_path) as node:
        with pytest.raises(InputFault) as refused:
            await node.decisions.propose(_propose(actions=(schemas.ActionSaid(**action),)))
    assert refused.value.code == code


async def test_a_retry_is_the_same_request_although_the_log_has_grown(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        asked = _propose(idempotency_key="p", expires_s=3600.0)
        first = await node.decisions.propose(asked)
        await node.claims.claim(said(name="between"))
        assert (await node.decisions.propose(asked))["id"] == first["id"]
        with pytest.raises(InputFault) as other:
            await node.decisions.propose(_propose("Something else", idempotency_key="p"))
        assert other.value.code == "key_reused"
        approve = schemas.VerdictRequest(idempotency_key="a")
        assert (await node.decisions.approve(first["id"], approve))["state"] == "approved"
        assert (await node.decisions.approve(first["id"], approve))["state"] == "approved"
        document = schemas.SetBaselineRequest(document={"a": 1}, approve=True, idempotency_key="b")
        made = await node.services.baseline.set_baseline(document)
        assert (await node.services.baseline.set_baseline(document))["id"] == made["id"]


async def test_another_text_voids_what_was_read(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        first = await node.decisions.propose(_propose())
        revised = await node.decisions.propose(_propose("Python 3.14", revises=first["id"]))
        assert (revised["id"], revised["title"]) == (first["id"], "Python 3.14")
        with pytest.raises(InputFault) as stale:
            await node.decisions.approve(first["id"], schemas.VerdictRequest(revision=first["revision"]))
        assert stale.value.code == "stale_revision"
        assert first["id"] in stale.value.remedy
        approved = await node.decisions.approve(first["id"], schemas.VerdictRequest(revision=revised["revision"]))
        assert (approved["state"], approved["self_approved"]) == ("approved", True)


async def test_a_machine_begins_ends_and_undoes(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        name = (await node.decisions.propose(_propose(approve=True)))["id"]
        started = await node.decisions.apply(name, schemas.ApplyRequest(step="start"))
        assert started["targets"][A]["state"] == "in_progress"
        with pytest.raises(InputFault) as taken:
            await node.decisions.apply(name, schemas.ApplyRequest(step="start"))
        assert taken.value.code == "wrong_attempt"
        failed = await node.decisions.apply(name, schemas.ApplyRequest(step="failed", note="no disk"))
        assert (failed["targets"][A]["state"], failed["targets"][A]["note"]) == ("retrying", "no disk")
        applied = await node.decisions.apply(name, schemas.ApplyRequest(step="applied", backup=True))
        assert (applied["state"], applied["targets"][A]["attempt"]) == ("applied", 2)
        wanted = await node.decisions.roll_back(name, schemas.RollbackRequest(reason="no"))
        assert wanted["targets"][A]["rollback"] == "wanted"
        undone = await node.decisions.apply(name, schemas.ApplyRequest(step="rolled_back"))
        assert undone["state"] == "rolled_back"
        assert (await node.decisions.archive(name, said()))["state"] == "archived"
        with pytest.raises(InputFault) as over:
            await node.decisions.reject(name, schemas.VerdictRequest())
        assert over.value.code == "wrong_state"
        assert "archived" in over.value.message


async def test_nobody_knows_a_decision_that_there_is_not(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        for ask in (
            node.decisions.decision("D99"),
            node.decisions.approve("D99", schemas.VerdictRequest()),
            node.decisions.apply("D99", schemas.ApplyRequest(step="start")),
            node.decisions.archive("D99", said()),
        ):
            with pytest.raises(InputFault) as unknown:
                await ask
            assert unknown.value.code == "unknown_decision"


async def test_a_person_decides_by_signature_alone(tmp_path: Path) -> None:
    key = SigningKey(b"p" * 32)
    async with deciding(tmp_path) as node:
        await _add_person(node, "jean", key)
        proposed = await node.decisions.propose(_propose())
        with pytest.raises(InputFault) as machine:
            await node.decisions.approve(proposed["id"], schemas.VerdictRequest())
        assert (machine.value.code, "--as" in machine.value.remedy) == ("needs_person", True)
        assert "jean" in machine.value.message
        wrong = dataclasses.replace(_Signer(key), verdict="reject").over(proposed)
        with pytest.raises(InputFault) as forged:
            await node.decisions.approve(proposed["id"], schemas.VerdictRequest(person=wrong))
        assert forged.value.code == "bad_signature"
        signed = schemas.VerdictRequest(person=_Signer(key).over(proposed))
        approved = await node.decisions.approve(proposed["id"], signed)
        assert (approved["approved_by"], approved["state"]) == (["jean"], "approved")


@dataclasses.dataclass(frozen=True)
class _Signer:
    key: SigningKey
    verdict: str = "approve"

    def over(self, decision: dict[str, Any]) -> schemas.PersonSaid:
        signature = self.key.sign(
            verdict_bytes(
                fleet=FleetId(identity(A).fleet),
                person="jean",
                decision=decision["id"],
                revision=bytes.fromhex(decision["revision"]),
                verdict=self.verdict,
                not_after_ms=0,
            )
        )
        return schemas.PersonSaid(person="jean", signature=base64.b64encode(signature).decode())


async def _add_person(node: Deciding, person: str, key: SigningKey) -> None:
    statement = PersonKey(person=person, key=key.public.raw, serial=bytes(16))
    envelope = seal_statement(keys().root_key, statement, fleet=identity(A).fleet)
    await node.ledger.carry(said(kind="person.add", statement=base64.b64encode(envelope).decode()))


# --- the fleet's own documents ------------------------------------------------------------------------------------


async def test_the_baseline_becomes_a_document_by_few_changes(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        baseline = node.services.baseline
        await baseline.set_baseline(schemas.SetBaselineRequest(patch={"a": {"b": 1, "c": [1]}, "d": 2}, approve=True))
        made = await baseline.set_baseline(
            schemas.SetBaselineRequest(document={"a": {"b": 1, "c": [1, 2]}}, approve=True)
        )
        assert [(action["op"], action["resource"]) for action in made["actions"]] == [
            ("set", "baseline:fleet#/a/c"),
            ("remove", "baseline:fleet#/d"),
        ]
        many = {f"k{number}": number for number in range(100)}
        whole = await baseline.set_baseline(schemas.SetBaselineRequest(document=many, approve=True))
        assert [action["resource"] for action in whole["actions"]] == ["baseline:fleet"]
        shown = await baseline.baseline(said(version=None))
        assert (shown["document"], shown["version"], shown["newest"]) == (many, 3, 3)
        with pytest.raises(InputFault) as same:
            await baseline.set_baseline(schemas.SetBaselineRequest(document=many))
        assert same.value.code == "nothing_to_do"
        for ask in (baseline.baseline(said(version=9)), baseline.diff(said(old=0, new=9))):
            with pytest.raises(InputFault) as unknown:
                await ask
            assert (unknown.value.code, unknown.value.details) == ("unknown_version", {"newest": 3})
        by_default = await baseline.diff(said(old=None, new=None))
        assert (by_default["old"], by_default["new"]) == (2, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"document": []},
        {"patch": 5},
        {"actions": (schemas.ActionSaid(op="remove", resource="baseline:fleet"),)},
        {"actions": (schemas.ActionSaid(op="set", resource="baseline:fleet", value=None),)},
    ],
)
async def test_what_the_baseline_cannot_become_is_refused_before_it_is_signed(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    async with deciding(tmp_path) as node:
        before = node.number
        with pytest.raises(InputFault) as refused:
            await node.services.baseline.set_baseline(schemas.SetBaselineRequest(approve=True, **change))
        assert (refused.value.code, node.number) == ("bad_baseline", before)


async def test_a_removal_may_be_repeated_with_its_key(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        baseline = node.services.baseline
        await baseline.set_baseline(schemas.SetBaselineRequest(patch={"a": 1}, approve=True))
        removal = schemas.ActionSaid(op="remove", resource="baseline:fleet#/a")
        asked = schemas.SetBaselineRequest(actions=(removal,), approve=True, idempotency_key="once")
        made = await baseline.set_baseline(asked)
        assert (await baseline.set_baseline(asked))["id"] == made["id"]


async def test_a_word_that_is_no_strategy_is_not_set(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        asked = schemas.SetPolicyRequest(name="conflict.strategy", value={"*": "manual", "file:": "auto-locale"})
        with pytest.raises(InputFault, match="not a conflict strategy: auto-locale") as refused:
            await node.services.baseline.set_policy(asked)
        assert refused.value.code == "bad_policy_value"


async def test_policies_are_known_by_name(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        baseline = node.services.baseline
        await baseline.set_policy(schemas.SetPolicyRequest(name="decisions.expire_days", value=7, approve=True))
        rows = {row["name"]: row for row in (await baseline.policies())["policies"]}
        assert (rows["decisions.expire_days"]["value"], rows["decisions.expire_days"]["default"]) == (7, 30)
        await baseline.set_policy(schemas.SetPolicyRequest(name="decisions.expire_days", approve=True))
        rows = {row["name"]: row for row in (await baseline.policies())["policies"]}
        assert rows["decisions.expire_days"]["value"] == 30
        with pytest.raises(InputFault) as unknown:
            await baseline.set_policy(schemas.SetPolicyRequest(name="weather", value="sun"))
        assert unknown.value.code == "unknown_policy"
        assert "approvals.decisions" in unknown.value.remedy
