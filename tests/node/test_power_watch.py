"""A computer that is about to sleep or to shut down waits for its node, and not for long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from roosync_p2p.adapters.power import MemoryPower, Notice
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.node.power_watch import watch_power
from roosync_p2p.node.surroundings import Surroundings
from tests.helpers.cores import A, identity
from tests.helpers.running_node import running, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Path(folder) / "node.db")
        yield store
        store.close()


@pytest.mark.parametrize("notice", [Notice.SHUTDOWN_SOON, Notice.SESSION_ENDING])
async def test_a_computer_that_ends_waits_until_the_node_has_said_farewell(store: SqliteStore, notice: Notice) -> None:
    power, around = MemoryPower(hold_s_max=10.0), Surroundings(store=store)
    async with running(identity(A), store) as node, anyio.create_task_group() as tasks:
        tasks.start_soon(watch_power, node.performer, around, power)
        await anyio.wait_all_tasks_blocked()
        power.announce(notice)
        await around.stop.wait()
        assert notice.value in around.stop_reason
        assert power.is_held
        await node.performer.stop(around.stop_reason)
        with anyio.fail_after(5.0):
            await power.until_free()
        assert node.performer.ended.is_set()
        tasks.cancel_scope.cancel()


async def test_a_computer_that_sleeps_goes_on_when_the_vote_is_handed_over_and_the_node_lives_on(
    store: SqliteStore,
) -> None:
    power, around = MemoryPower(hold_s_max=10.0), Surroundings(store=store)
    async with running(identity(A), store) as node, anyio.create_task_group() as tasks:
        tasks.start_soon(watch_power, node.performer, around, power)
        await anyio.wait_all_tasks_blocked()
        power.announce(Notice.SUSPEND_SOON)
        with anyio.fail_after(8.0):
            await power.until_free()
        power.announce(Notice.RESUMED)
        assert not around.stop.is_set()
        await until(lambda: node.performer.core.authorship.phase.value == "ready")
        tasks.cancel_scope.cancel()
