"""Claims for users: waiting for a name, retries, callers who hang up, sessions that end."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from roosync_p2p.errors import InputFault, UndecidedError
from tests.helpers.deciding_node import deciding, said

pytestmark = pytest.mark.anyio


async def test_the_loser_is_told_who_since_when_and_until_when(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        won = await node.claims.claim(said(name="issue-1", note="parser"))
        with pytest.raises(InputFault) as lost:
            await node.claims.claim(said(name="issue-1", process=2))
        assert won["token"] == node.number - 1
    assert lost.value.code == "claim_held"
    assert lost.value.details["holder"] == won["holder"]
    assert (lost.value.details["since"], lost.value.details["until"]) == (won["acquired_at"], won["expires_at"])
    assert "machine-a (workspace roosync, session tester/roosy" in lost.value.message
    assert "--wait" in lost.value.remedy


async def test_who_waits_gets_it_when_it_is_released(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        first = await node.claims.claim(said(name="x"))
        got: list[dict[str, object]] = []

        async def wait() -> None:
            got.append(await node.claims.claim(said(name="x", process=2, wait_s=15.0)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            with anyio.fail_after(10):
                while not (await node.claims.claims())["claims"][0]["queue"]:  # noqa: ASYNC110 - nothing tells
                    await anyio.sleep(0.01)
            await node.claims.release(said(name="x"))
        assert int(str(got[0]["token"])) > first["token"]


async def test_who_waits_gets_it_when_it_runs_out_although_nobody_writes_anything(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        await node.claims.claim(said(name="x", ttl_s=1.0))
        with anyio.fail_after(10):
            got = await node.claims.claim(said(name="x", process=2, wait_s=8.0))
        assert got["holder"]["session"] == "tester/roosync/2"


async def test_a_renewal_that_comes_too_late_is_told_so_whether_it_names_its_token_or_not(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        won = await node.claims.claim(said(name="x", ttl_s=1.0))
        with anyio.fail_after(10):
            while (await node.claims.claims())["claims"]:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)
        for token in (0, won["token"]):
            with pytest.raises(InputFault) as late:
                await node.claims.renew(said(name="x", token=token))
            assert late.value.code == "expired"
            assert late.value.details["commit_number"] == node.number


async def test_who_waited_in_vain_leaves_the_line_and_hears_who_has_it(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        await node.claims.claim(said(name="x"))
        with pytest.raises(InputFault) as lost:
            await node.claims.claim(said(name="x", process=2, wait_s=0.1))
        assert lost.value.code == "claim_held"
        assert (await node.claims.claims())["claims"][0]["queue"] == []


async def test_who_queues_stays_in_line_and_hears_the_place(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        await node.claims.claim(said(name="x"))
        for process, place in ((2, 1), (3, 2), (2, 1)):
            with pytest.raises(UndecidedError) as waiting:
                await node.claims.claim(said(name="x", process=process, queue=True))
            assert waiting.value.code == "claim_queued"
            assert waiting.value.details["queued"] == place
        await node.claims.release(said(name="x"))
        assert (await node.claims.claim(said(name="x", process=2, queue=True)))["holder"]["session"].endswith("/2")
        await node.claims.release(said(name="x", process=3))
        assert (await node.claims.claims())["claims"][0]["queue"] == []


async def test_what_was_granted_to_a_caller_who_hung_up_is_given_back(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        with anyio.move_on_after(0):  # cancelled at its first step: the request is on its way all the same
            await node.claims.claim(said(name="x"))
        with anyio.fail_after(10):
            while "request.withdraw" not in await node.kinds():  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)
        assert "claim.acquire" in await node.kinds()
        assert (await node.claims.claims())["claims"] == []


async def test_a_caller_who_hangs_up_in_line_leaves_it(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        await node.claims.claim(said(name="x"))
        with anyio.move_on_after(0.3):
            await node.claims.claim(said(name="x", process=2, wait_s=60.0))
        with anyio.fail_after(10):
            while (await node.claims.claims())["claims"][0]["queue"]:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)


async def test_a_retry_is_the_same_claim_until_it_is_over(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        asked = said(name="x", idempotency_key="k", wait_s=0.5)
        first = await node.claims.claim(asked)
        assert await node.claims.claim(asked) == first
        with pytest.raises(InputFault) as other:
            await node.claims.claim(said(name="y", idempotency_key="k"))
        assert other.value.code == "key_reused"
        await node.claims.release(said(name="x"))
        with pytest.raises(InputFault) as over:
            await node.claims.claim(asked)
        assert over.value.code == "claim_ended"


async def test_a_session_is_its_secret_and_nobody_else_speaks_for_it(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        opened = await node.claims.open_session(said(workspace="roosync"))
        mine = {"secret": opened["secret"], "user": None, "process": None}
        held = await node.claims.claim(said(name="x", **mine))
        assert held["holder"]["session"] == opened["session"]
        for wrong in ({"secret": opened["session"]}, {"secret": None}):
            with pytest.raises(InputFault) as refused:
                await node.claims.renew(said(name="x", **wrong))
            assert refused.value.code in ("unknown_session", "not_holder")
        renewed = await node.claims.renew(said(name="x", ttl_s=7200.0, **mine))
        assert renewed["expires_at"] > held["expires_at"]
        with pytest.raises(InputFault) as stale:
            await node.claims.renew(said(name="x", **mine, token=held["token"] - 1))
        assert stale.value.code == "not_holder"
        await node.claims.claim(said(name="y", process=2))
        with pytest.raises(UndecidedError):
            await node.claims.claim(said(name="y", queue=True, **mine))
        closed = await node.claims.close_session(said(**mine))
        assert closed["released"] == ["x", "y"]
        assert [claim["name"] for claim in (await node.claims.claims())["claims"]] == ["y"]
        with pytest.raises(InputFault) as ended:
            await node.claims.claim(said(name="z", **mine))
        assert ended.value.code == "unknown_session"


async def test_a_session_is_known_again_after_a_restart(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        secret = (await node.claims.open_session(said()))["secret"]
        await node.claims.claim(said(name="x", secret=secret))
    assert secret.encode() not in (tmp_path / "sessions.json").read_bytes()
    async with deciding(tmp_path) as node:
        assert (await node.claims.renew(said(name="x", secret=secret)))["name"] == "x"


async def test_an_approver_takes_a_claim_and_a_check_sees_it(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        held = await node.claims.claim(said(name="x"))
        assert (await node.claims.check(said(name="x", token=held["token"])))["held"] is True
        stolen = await node.claims.steal(said(name="x", process=2, reason="crashed"))
        checked = await node.claims.check(said(name="x", token=held["token"]))
        assert (checked["held"], checked["claim"]["token"]) == (False, stolen["token"])
        assert (await node.claims.check(said(name="nothing", token=1)))["claim"] is None


async def test_a_fence_lets_nothing_through_whose_claim_is_gone(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        held = await node.claims.claim(said(name="x"))
        fence = said(name="x", token=held["token"])
        await node.claims.claim(said(name="y", fence=fence))
        await node.claims.release(said(name="x"))
        with pytest.raises(InputFault) as fenced:
            await node.claims.claim(said(name="z", fence=fence))
        assert fenced.value.code == "fenced"


async def test_where_nobody_decides_a_request_says_that_it_waits(tmp_path: Path) -> None:
    async with deciding(tmp_path, founded=False) as node:
        with pytest.raises(UndecidedError) as undecided:
            await node.claims.claim(said(name="x", timeout_s=0.1))
        assert undecided.value.code == "pending"
        shown = await node.claims.claims()
        assert (shown["claims"], shown["stale"]) == ([], True)
        entry = str(undecided.value.details["entry"])
        waiting = await node.ledger.pending()
        assert entry in {row["id"] for row in waiting["pending"]}
        assert (await node.ledger.request(entry[:12]))["state"] == "pending"
