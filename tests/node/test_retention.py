"""What becomes of messages with their age, over a real database; the wall clock is the test's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.system import read_now
from roosync_p2p.core.retaining import ages
from roosync_p2p.ids import MachineId
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.retention import Retention
from tests.helpers.asking import Ack, Amend, Archive, Spoken, asked, mail_node
from tests.helpers.cores import A

pytestmark = pytest.mark.anyio

DAY_MS = 24 * 3600 * 1000


@contextlib.asynccontextmanager
async def _mailing(tmp_path: Path) -> AsyncIterator[tuple[MailService, MailboxService, Retention]]:
    async with mail_node(tmp_path) as on:
        yield (
            MailService(on.node.performer, on.store, on.node.events, on.sessions, on.quotas, on.waking),
            MailboxService(on.node.performer, on.store, on.sessions, on.quotas, on.waking),
            Retention(on.node.performer, on.store),
        )


def _in_days(days: float) -> int:
    return read_now().wall_ms + round(days * DAY_MS)


async def test_a_read_message_is_archived_after_seven_days_and_an_unread_one_is_not(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _, retention):
        read, unread = [(await mail.send(asked()))["id"] for _ in range(2)]
        await mail.read(read, Spoken())
        assert await retention.once(_in_days(6.9)) == 0
        assert await retention.once(_in_days(7.1)) == 1
        assert (await mail.message(read))["status"] == "archived"
        assert (await mail.message(read))["states"] == {"machine-a": "read"}
        assert (await mail.message(unread))["status"] == "unread"


async def test_an_unread_message_expires_after_thirty_days(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _, retention):
        sent = (await mail.send(asked()))["id"]
        assert await retention.once(_in_days(29.9)) == 0
        assert await retention.once(_in_days(30.1)) > 0
        shown = await mail.message(sent)
        assert (shown["status"], shown["states"]) == ("archived", {"machine-a": "expired"})


async def test_the_body_of_an_archived_message_goes_after_thirty_days_and_its_head_stays(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, box, retention):
        sent = (await mail.send(asked(body="un")))["id"]
        await box.amend(sent, Amend("deux"))
        await box.archive(Archive((sent,)))
        assert await retention.once(_in_days(29.9)) == 0
        assert await retention.once(_in_days(30.1)) == 1
        shown = await mail.message(sent)
        assert (shown["body"], shown["subject"], shown["signer"]) == (None, "Réunion", A)
        assert [row["body"] for row in shown["history"]] == [None, None]
        assert await retention.once(_in_days(400)) == 0


async def test_what_was_sent_to_others_keeps_its_body_as_long_as_they_may_want_it(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _, retention):
        sent = (await mail.send(asked("machine-b")))["id"]
        assert await retention.once(_in_days(66.9)) == 0
        assert await retention.once(_in_days(67.1)) == 1
        assert (await mail.message(sent))["body"] is None


async def test_what_is_kept_and_tasks_without_an_answer_stay(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, box, retention):
        kept = (await mail.send(asked()))["id"]
        task = (await mail.send(asked(type="task")))["id"]
        await box.keep(kept, kept=True)
        for message in (kept, task):
            await mail.read(message, Spoken())
        assert await retention.once(_in_days(400)) == 0
        await box.ack(task, Ack())
        await box.keep(kept, kept=False)
        assert await retention.once(_in_days(8)) == 2


async def test_more_than_one_batch_is_done_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETENTION_BATCH_MAX", 2)
    async with _mailing(tmp_path) as (mail, _, retention):
        sent = [(await mail.send(asked()))["id"] for _ in range(5)]
        for message in sent:
            await mail.read(message, Spoken())
        assert await retention.once(_in_days(8)) == 5
        assert {(await mail.message(message))["status"] for message in sent} == {"archived"}


def test_where_bodies_are_kept_by_policy_none_goes() -> None:
    query = ages(MachineId("machine-a"), 400 * DAY_MS, drops=False, cited=())
    assert (query.archived_ms, query.elsewhere_ms) == (-1, -1)
    assert query.read_ms == 393 * DAY_MS
