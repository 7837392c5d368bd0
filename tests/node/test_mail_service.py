"""Messages for users, over a real database."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from roosync_p2p.errors import InputFault, RoosyncError, StoreError
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.requests import AttachmentAsked
from tests.helpers.asking import Spoken, asked, mail_node
from tests.helpers.cores import A
from tests.helpers.running_node import Node

pytestmark = pytest.mark.anyio


@dataclasses.dataclass(frozen=True)
class _Asked:
    status: str = "unread"
    workspaces: tuple[str, ...] | None = None
    limit: int = 50
    before: str | None = None
    sender: str | None = None
    thread_id: str | None = None
    priority: str | None = None
    type: str | None = None
    tag: str | None = None
    since: str | None = None
    until: str | None = None
    wait_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Reply:
    body: str
    type: str = "answer"
    priority: str | None = None
    tags: tuple[str, ...] = ()
    workspace: str | None = None
    idempotency_key: str | None = None
    secret: str | None = None
    user: str | None = None
    process: int | None = None
    attachments: tuple[AttachmentAsked, ...] = ()
    private: bool | None = None


@contextlib.asynccontextmanager
async def _mailing(tmp_path: Path) -> AsyncIterator[tuple[MailService, Node]]:
    async with mail_node(tmp_path) as on:
        yield MailService(on.node.performer, on.store, on.node.events, on.sessions, on.quotas, on.waking), on.node


async def test_a_sent_message_has_an_id_a_thread_and_a_state_for_each_recipient(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = await mail.send(asked("all:web"))
    assert sent["thread_id"] == sent["id"]
    assert sent["states"] == {"machine-b:web": "sent"}


async def test_a_message_is_shown_as_it_was_written_with_its_signer(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = await mail.send(asked())
        shown = await mail.message(sent["id"])
    assert (shown["subject"], shown["body"], shown["tags"]) == ("Réunion", "Prêt ? 🎉", ["équipe"])
    assert (shown["from"], shown["signer"], shown["verified"], shown["status"]) == (A, A, True, "unread")


@pytest.mark.parametrize(
    ("table", "column", "before", "after"),
    [
        ("entries", "body", b"pay 100", b"pay 900"),
        ("entries", "body", b"subject", b"subjekt"),
        ("entries", "header", b"sequence", b"sequenze"),
        ("entries", "header", b"time_ms", b"time_mz"),
        ("messages", "subject", "Réunion".encode(), b"Another"),
    ],
)
async def test_a_message_that_the_disk_changed_is_neither_shown_nor_marked(
    tmp_path: Path, table: str, column: str, before: bytes, after: bytes
) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = await mail.send(asked(body="pay 100"))
    with contextlib.closing(sqlite3.connect(tmp_path / "node.db")) as database:
        newest = f"SELECT rowid, CAST({column} AS BLOB) FROM {table} ORDER BY rowid DESC LIMIT 1"
        rows = [row for row in database.execute(newest) if before in row[1]]
        for row, value in rows:
            kept = value.replace(before, after)
            changed = kept.decode() if table == "messages" else kept
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, row))
        database.commit()
    assert rows
    async with _mailing(tmp_path) as (mail, _):
        for look in (mail.message, lambda message: mail.read(message, Spoken())):
            with pytest.raises(StoreError) as caught:
                await look(sent["id"])
            assert caught.value.code == "store_corrupt"
            assert sent["id"] in caught.value.message
        assert (await mail.inbox(_Asked()))["unread"] == 1


async def test_sending_twice_with_one_key_is_sending_once(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        one = await mail.send(asked(idempotency_key="k"))
        two = await mail.send(asked(idempotency_key="k"))
        assert one["id"] == two["id"]
        with pytest.raises(InputFault) as caught:
            await mail.send(asked(idempotency_key="k", subject="another"))
    assert caught.value.code == "key_reused"


async def test_a_key_is_remembered_over_a_restart(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        one = await mail.send(asked(idempotency_key="k"))
    async with _mailing(tmp_path) as (mail, _):
        assert (await mail.send(asked(idempotency_key="k")))["id"] == one["id"]


async def test_reading_marks_the_message_and_showing_it_does_not(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = await mail.send(asked())
        await mail.message(sent["id"])
        assert (await mail.inbox(_Asked()))["unread"] == 1
        read = await mail.read(sent["id"], Spoken())
        assert (await mail.inbox(_Asked()))["messages"] == []
    assert (read["status"], read["states"]) == ("read", {"machine-a": "read"})


async def test_reading_in_a_workspace_leaves_the_others_boxes_unread(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = await mail.send(asked(to="machine-a:web"))
        await mail.read(sent["id"], Spoken(workspace="api"))
        assert (await mail.inbox(_Asked(workspaces=("web",))))["unread"] == 1
        await mail.read(sent["id"], Spoken(workspace="web"))
        assert (await mail.inbox(_Asked(workspaces=("web",))))["unread"] == 0


async def test_an_answer_goes_to_the_author_in_its_thread_with_one_re(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = await mail.send(asked())
        first = await mail.reply(sent["id"], _Reply(body="oui"))
        second = await mail.reply(first["id"], _Reply(body="parfait"))
        shown = await mail.message(second["id"])
    assert (shown["subject"], shown["thread_id"], shown["in_reply_to"]) == ("Re: Réunion", sent["id"], first["id"])
    assert (shown["type"], shown["priority"]) == ("answer", "HIGH")


async def test_an_inbox_that_waits_returns_as_soon_as_something_arrives(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        found: list[object] = []

        async def wait() -> None:
            found.extend((await mail.inbox(_Asked(wait_s=10.0)))["messages"])

        with anyio.fail_after(5.0):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.sleep(0.05)
                await mail.send(asked())
    assert len(found) == 1


async def test_an_inbox_that_waits_in_vain_is_empty(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        assert (await mail.inbox(_Asked(wait_s=0.05)))["messages"] == []


async def test_an_inbox_is_paged(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as (mail, _):
        sent = [(await mail.send(asked(subject=f"{number}")))["id"] for number in range(5)]
        page = await mail.inbox(_Asked(limit=3))
        rest = await mail.inbox(_Asked(limit=3, before=page["next"]))
    assert [line["id"] for line in page["messages"] + rest["messages"]] == sent[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("name", "code"), [("message 1", "bad_message_id"), ("msg-20260115T091530-ffffff", "no_such_message")]
)
async def test_a_message_that_is_not_here_is_refused(tmp_path: Path, name: str, code: str) -> None:
    async with _mailing(tmp_path) as (mail, _):
        with pytest.raises(InputFault) as caught:
            await mail.message(name)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "machine-z"}, "unknown_recipient"),
        ({"to": "not a machine!"}, "bad_machine_id"),
        ({"subject": ""}, "bad_message"),
        ({"priority": "NOW"}, "bad_message"),
    ],
    ids=str,
)
async def test_a_message_that_breaks_a_bound_is_refused(tmp_path: Path, changes: dict[str, object], code: str) -> None:
    async with _mailing(tmp_path) as (mail, _):
        with pytest.raises(RoosyncError) as caught:
            await mail.send(asked(**changes))  # type: ignore[arg-type]  # one lie
        assert caught.value.code == code
        assert (await mail.inbox(_Asked(status="all")))["messages"] == []
