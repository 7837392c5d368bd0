"""A session that nobody uses any more ends, and what it held is free; others are told who works here."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.deciding_node import Deciding, deciding, said
from tests.helpers.running_node import until

pytestmark = pytest.mark.anyio


def _told(node: Deciding) -> list[str]:
    """Ids of the sessions that the other machines are told of."""
    return [session.id.hex() for session in node.node.performer.core.delivery.sessions._mine]


async def _events(node: Deciding) -> list[tuple[str, object]]:
    stream = node.node.events.stream(0)
    found: list[tuple[str, object]] = []
    while len(found) < node.node.events.newest:
        event = await anext(stream)
        found.append((event.type, event.data.get("state")))
    return [row for row in found if row[0] == "session"]


async def test_what_a_session_held_is_free_when_its_lease_is_over_and_the_others_are_told(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        node.tasks.start_soon(node.services.keeper.run)
        opened = await node.claims.open_session(said(client="claude", lease_s=1.0))
        await node.claims.claim(said(name="issue-1", secret=opened["secret"]))
        await until(lambda: _told(node) == [opened["session"]])
        with anyio.fail_after(10):
            while (await node.claims.claims())["claims"]:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.02)
        await until(lambda: _told(node) == [])
        with anyio.fail_after(10):
            while await _events(node) != [("session", "opened"), ("session", "expired")]:  # noqa: ASYNC110 - the same
                await anyio.sleep(0.02)
        with pytest.raises(InputFault) as over:
            await node.claims.claim(said(name="issue-1", secret=opened["secret"]))
        assert over.value.code == "unknown_session"


async def test_a_lease_that_ran_out_while_the_node_was_off_is_over_at_its_next_start(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        opened = await node.claims.open_session(said(lease_s=1.0))
        await node.claims.claim(said(name="issue-1", secret=opened["secret"]))
    await anyio.sleep(1.0)
    async with deciding(tmp_path) as node:
        await until(lambda: node.node.performer.core.authorship.phase.value == "ready")
        assert [claim["name"] for claim in (await node.claims.claims())["claims"]] == ["issue-1"]
        node.tasks.start_soon(node.services.keeper.run)
        with anyio.fail_after(10):
            while (await node.claims.claims())["claims"]:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.02)


async def test_a_session_that_is_renewed_lives_on(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        node.tasks.start_soon(node.services.keeper.run)
        opened = await node.claims.open_session(said(lease_s=1.0))
        for _ in range(4):
            await anyio.sleep(0.4)
            renewed = await node.claims.renew_session(said(secret=opened["secret"]))
        assert renewed["expires_at"] > opened["expires_at"]
        assert _told(node) == [opened["session"]]


async def test_a_use_is_told_seldom(tmp_path: Path) -> None:
    async with deciding(tmp_path) as node:
        node.tasks.start_soon(node.services.keeper.run)
        opened = await node.claims.open_session(said(lease_s=3600.0))
        await until(lambda: _told(node) == [opened["session"]])
        before = node.node.performer.core.delivery.sessions._mine
        await anyio.sleep(0.01)
        await node.claims.renew_session(said(secret=opened["secret"]))
        assert node.node.performer.core.delivery.sessions._mine is before
