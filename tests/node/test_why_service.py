"""What users ask *why* of: which thing is meant, and what a running node tells of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from roosync_p2p.api.decision_schemas import ActionSaid, ProposeRequest
from roosync_p2p.api.why_schemas import Why
from roosync_p2p.errors import InputFault, UndecidedError
from roosync_p2p.node.ledger_services import LedgerServices
from roosync_p2p.node.mail_facts import MailFacts
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.node.why_service import WhyService
from tests.helpers.asking import Ack, Spoken, asked, mail_node
from tests.helpers.cores import A, B
from tests.helpers.deciding_node import Deciding, deciding, said

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def _asking(tmp_path: Path, *, founded: bool = True) -> AsyncIterator[tuple[Deciding, WhyService]]:
    async with deciding(tmp_path, founded=founded) as node:
        performer = node.node.performer
        yield node, WhyService(performer.core, node.ledger, MailFacts(performer, node.store))


async def _refused(why: WhyService, of: str) -> InputFault:
    with pytest.raises(InputFault) as caught:
        await why.why(of)
    return caught.value


def _codes(found: dict[str, Any]) -> list[str]:
    msgspec.convert(found, Why)
    return [wait["code"] for wait in found["waits_for"]]


async def test_what_is_named_is_found_whatever_it_is(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (node, why):
        won = await node.claims.claim(said(name="issue-1"))
        action = ActionSaid(op="set", resource="config:ci.json#/python", value="3.13")
        decided = await node.decisions.propose(ProposeRequest(title="P", targets=("ALL",), actions=(action,)))
        found = await why.why("issue-1")
        assert (found["kind"], found["claim"]["token"], _codes(found)) == ("claim", won["token"], ["holder"])
        found = await why.why(f" {decided['id'].lower()} ")
        assert (found["kind"], found["of"], _codes(found)) == ("decision", decided["id"], ["approvals"])
        assert [wait["approvers"] for wait in found["waits_for"]] == [[A]]
        found = await why.why("Machine-A")
        assert (found["kind"], found["of"], found["machine"]["self"], _codes(found)) == ("machine", A, True, [])
        assert (found["as_of"], found["stale"]) == (node.number, False)
        row = (await node.ledger.log(said(first=won["token"], limit=1, wait_s=0.0)))["entries"][0]
        found = await why.why(row["id"][:8])
        assert (found["kind"], found["of"], _codes(found)) == ("request", row["id"], [])
        assert found["request"]["commit_number"] == won["token"]


async def test_a_free_claim_is_told_of_when_its_kind_is_said(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (_, why):
        found = await why.why("claim:machine:x")
        assert (found["of"], found["claim"]["held"], _codes(found)) == ("machine:x", False, [])


async def test_what_names_nothing_is_told_what_can_be_named(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (node, why):
        await node.claims.claim(said(name="issue-1"))
        for of in ("nobody", "machine:nobody", "decision:D99", "D99", "claim:", "msg-20260115T091530-ffffff", "a" * 8):
            fault = await _refused(why, of)
            assert fault.code == "nothing_named", of
            assert (fault.details["machines"], fault.details["claims"]) == ([A], ["issue-1"])
            assert "roosync machines" in fault.remedy
        assert (await _refused(why, "message:msg-20260115T091530-ffffff")).code == "no_such_message"
        assert (await _refused(why, "request:" + "a" * 8)).code == "no_such_request"


async def test_a_name_of_two_things_names_neither_until_its_kind_is_said(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (node, why):
        await node.claims.claim(said(name=str(A)))
        fault = await _refused(why, A)
        assert (fault.code, fault.details["of"]) == ("ambiguous", [f"machine:{A}", f"claim:{A}"])
        assert f"roosync why claim:{A}" in fault.remedy
        assert [(await why.why(of))["kind"] for of in (f"machine:{A}", f"CLAIM:{A}")] == ["machine", "claim"]


async def test_a_request_that_nobody_decides_says_so_under_its_id_and_under_the_claim(tmp_path: Path) -> None:
    async with _asking(tmp_path, founded=False) as (node, why):
        with pytest.raises(UndecidedError) as pending:
            await node.claims.claim(said(name="issue-1", timeout_s=0.05))
        entry = str(pending.value.details["entry"])
        found = await why.why(entry[:16])
        assert (found["kind"], found["request"]["claim"], found["stale"]) == ("request", "issue-1", True)
        assert [(wait["code"], wait["state"]) for wait in found["waits_for"]] == [("undecided", "no_voters")]
        found = await why.why("issue-1")
        assert [row["kind"] for row in found["claim"]["asked"]] == ["claim.acquire", "request.withdraw"]
        assert (found["claim"]["held"], found["claim"]["quorum"]["voters"], _codes(found)) == (False, [], ["undecided"])


async def test_a_message_tells_where_it_is_what_it_waits_for_and_which_ways_there_are(tmp_path: Path) -> None:
    async with mail_node(tmp_path) as on, anyio.create_task_group() as tasks:
        performer = on.node.performer
        services = LedgerServices.over(
            performer,
            on.store,
            on.node.events,
            Surroundings(store=on.store),
            tasks=tasks,
            sessions_file=tmp_path / "other-sessions.json",
        )
        mail = MailService(performer, on.store, on.node.events, on.sessions, on.quotas, on.waking)
        box = MailboxService(performer, on.store, on.sessions, on.quotas, on.waking)
        why = WhyService(performer.core, services.ledger, MailFacts(performer, on.store))
        sent = await mail.send(asked("all"))
        found = await why.why(sent["id"])
        message = found["message"]
        assert (message["signer"], message["here"], message["holders"], _codes(found)) == (A, True, [A], ["return"])
        (row,) = message["recipients"]
        assert (row["recipient"], row["state"], row["waits_for"], row["from"]) == (B, "sent", "return", [A])
        assert (row["machine"], row["ways"]["linked"], row["ways"]["seen"], row["ways"]["tried"]) == (
            "unknown",
            False,
            [],
            [],
        )
        mine = await mail.send(asked())
        waits = [_codes(await why.why(mine["id"]))]
        await mail.read(mine["id"], Spoken())
        waits.append(_codes(await why.why(mine["id"])))
        await box.ack(mine["id"], Ack())
        waits.append(_codes(await why.why(mine["id"])))
        assert waits == [["reading"], ["answer"], []]
        tasks.cancel_scope.cancel()
