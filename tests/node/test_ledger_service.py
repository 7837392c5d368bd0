"""The commit log for users: stretches of it, requests that wait, who decides, who leaves."""

from __future__ import annotations

import base64
from pathlib import Path

import anyio
import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.cores import A
from tests.helpers.deciding_node import deciding, said

pytestmark = pytest.mark.anyio


async def test_the_log_is_read_in_stretches_and_waited_for(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        for name in ("a", "b", "c"):
            await node.claims.claim(said(name=name))
        whole = await node.ledger.log(said(first=1, limit=100, wait_s=0.0))
        assert [row["number"] for row in whole["entries"]] == list(range(1, whole["size"] + 1))
        newest = await node.ledger.log(said(first=None, limit=2, wait_s=0.0))
        assert newest["entries"] == whole["entries"][-2:]
        beyond = said(first=whole["size"] + 1, limit=10, wait_s=10.0)
        assert (await node.ledger.log(said(first=whole["size"] + 1, limit=10, wait_s=0.01)))["entries"] == []
        found: list[dict[str, object]] = []

        async def wait() -> None:
            found.extend((await node.ledger.log(beyond))["entries"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await node.claims.claim(said(name="d"))
        assert found[0]["kind"] == "claim.acquire"


async def test_a_request_is_found_by_its_id_and_by_the_beginning_of_it(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        await node.claims.claim(said(name="a"))
        row = (await node.ledger.log(said(first=None, limit=1, wait_s=0.0)))["entries"][0]
        for entry in (row["id"], row["id"][:8], row["id"].upper()[:20]):
            shown = await node.ledger.request(entry)
            assert (shown["state"], shown["commit_number"], shown["id"]) == ("decided", row["number"], row["id"])
            assert shown["outcome"]["accepted"] is True
            assert shown["outcome"]["detail"]["name"] == "a"
        assert (await node.ledger.pending())["pending"] == []
        for entry, code in (("ffffffff", "no_such_request"), ("ab" * 32, "no_such_request"), ("xyz", "bad_request_id")):
            with pytest.raises(InputFault) as unknown:
                await node.ledger.request(entry)
            assert unknown.value.code == code


async def test_what_is_decided_can_be_taken_back_only_where_the_ledger_says_so(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        await node.claims.claim(said(name="a"))
        entry = (await node.ledger.log(said(first=None, limit=1, wait_s=0.0)))["entries"][0]["id"]
        await node.ledger.cancel(entry, said())
        assert (await node.claims.claims())["claims"] == []
        with pytest.raises(InputFault) as late:
            await node.ledger.cancel(entry, said())
        assert (late.value.code, "taken back" in late.value.message) == ("too_late", True)


async def test_a_fleet_of_one_decides_alone_and_cannot_be_left(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        voters = await node.ledger.voters()
        assert [row["machine"] for row in voters["voters"]] == [A]
        assert (voters["leader"], voters["stale"], voters["as_of"]) == (A, False, voters["size"])
        assert voters["root"] == node.node.performer.core.commit.applier.root.hex()
        assert voters["voters"][0]["store"] == voters["store"]
        register = await node.ledger.register()
        assert (register["approvers"], register["members"][0]["machine"]) == ([A], A)
        with pytest.raises(InputFault) as last:
            await node.ledger.leave(said())
        assert last.value.code == "last_member"


@pytest.mark.parametrize(
    ("kind", "statement", "code"),
    [
        ("claim.acquire", "AAAA", "bad_kind"),
        ("person.add", "é", "bad_statement"),
        ("person.add", base64.b64encode(b"x" * 50).decode(), "malformed"),
    ],
)
async def test_what_is_no_statement_is_refused(tmp_path: Path, kind: str, statement: str, code: str) -> None:
    async with deciding(tmp_path) as node:
        with pytest.raises(InputFault) as refused:
            await node.ledger.carry(said(kind=kind, statement=statement))
    assert refused.value.code == code


async def test_members_that_are_none_are_not_retired_and_forks_that_are_none_not_settled(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        with pytest.raises(InputFault) as nobody:
            await node.ledger.retire(said(machine="machine-z"))
        assert nobody.value.code == "unknown_member"
        with pytest.raises(InputFault) as no_fork:
            await node.ledger.settle(said(machine="machine-z", keep="ab" * 32))
        assert no_fork.value.code == "no_such_fork"
