"""What is done with messages beyond sending and reading them, over a real database."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.errors import InputFault, StoreError, UsageError
from roosync_p2p.ids import EntryId
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.sessions import Sessions
from tests.conformance.order_rows import commit
from tests.helpers.asking import Ack, Amend, Archive, Search, Spoken, asked, mail_node

pytestmark = pytest.mark.anyio


@dataclasses.dataclass(frozen=True)
class _Mail:
    send: MailService
    box: MailboxService
    sessions: Sessions
    store: SqliteStore


@contextlib.asynccontextmanager
async def _mailing(tmp_path: Path) -> AsyncIterator[_Mail]:
    async with mail_node(tmp_path) as on:
        yield _Mail(
            MailService(on.node.performer, on.store, on.node.events, on.sessions, on.quotas, on.waking),
            MailboxService(on.node.performer, on.store, on.sessions, on.quotas, on.waking),
            on.sessions,
            on.store,
        )


async def _refused(asked: Any, code: str) -> InputFault:
    with pytest.raises(InputFault) as caught:
        await asked
    assert caught.value.code == code
    return caught.value


# --- answers ------------------------------------------------------------------------------------------------------


async def test_an_answer_is_shown_with_its_note(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked())
        shown = await mail.box.ack(sent["id"], Ack(note="fait"))
        assert (shown["status"], shown["states"]) == ("read", {"machine-a": "acted"})
        assert [(row["state"], row["note"]) for row in shown["receipts"]] == [("acted", "fait")]
        assert (await mail.send.message(sent["id"]))["states"] == {"machine-a": "acted"}


async def test_an_answer_is_remembered_over_a_restart(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked())
        await mail.box.ack(sent["id"], Ack(decline=True))
    async with _mailing(tmp_path) as mail:
        fault = await _refused(mail.box.ack(sent["id"], Ack()), "already_answered")
        assert fault.details == {"state": "declined"}
        assert (await mail.box.ack(sent["id"], Ack(decline=True)))["states"] == {"machine-a": "declined"}


async def test_an_answer_is_for_the_inbox_of_its_workspace(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked("machine-a:web"))
        fault = await _refused(mail.box.ack(sent["id"], Ack(workspace="api")), "not_a_recipient")
        assert fault.details == {"workspaces": ["web"]}
        assert (await mail.box.ack(sent["id"], Ack(workspace="web")))["states"] == {"machine-a:web": "acted"}


async def test_what_is_in_no_inbox_here_is_not_answered(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked("machine-b"))
        await _refused(mail.box.ack(sent["id"], Ack()), "not_a_recipient")
        assert (await mail.send.message(sent["id"]))["states"] == {"machine-b": "sent"}


# --- put aside, kept ----------------------------------------------------------------------------------------------


async def test_messages_are_archived_all_or_none(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        ids = tuple([(await mail.send.send(asked()))["id"] for _ in range(3)])
        await _refused(mail.box.archive(Archive((*ids, "msg-20260115T091530-ffffff"))), "no_such_message")
        assert [(await mail.send.message(one))["status"] for one in ids] == ["unread"] * 3
        assert await mail.box.archive(Archive((*ids, ids[0]))) == {"archived": list(ids)}
        assert [(await mail.send.message(one))["status"] for one in ids] == ["archived"] * 3
        assert await mail.box.archive(Archive(ids)) == {"archived": list(ids)}


async def test_archiving_is_not_reading(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked())
        await mail.box.archive(Archive((sent["id"],)))
        assert (await mail.send.message(sent["id"]))["states"] == {"machine-a": "delivered"}


async def test_keeping_is_shown_and_undone(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked("machine-b"))
        assert await mail.box.keep(sent["id"], kept=True) == {"id": sent["id"], "kept": True}
        assert (await mail.send.message(sent["id"]))["kept"]
        await mail.box.keep(sent["id"], kept=False)
        assert not (await mail.send.message(sent["id"]))["kept"]


# --- amended ------------------------------------------------------------------------------------------------------


async def test_an_amended_message_shows_every_body_and_who_read_which(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked(body="un"))
        assert (await mail.send.message(sent["id"]))["history"] == []
        await mail.send.read(sent["id"], Spoken())
        await mail.box.amend(sent["id"], Amend("deux", "mieux"))
        shown = await mail.box.amend(sent["id"], Amend("trois"))
    assert (shown["body"], shown["amended"]) == ("trois", True)
    assert [(row["body"], row["reason"]) for row in shown["history"]] == [("un", ""), ("deux", "mieux"), ("trois", "")]
    assert shown["history"][0]["time"] <= shown["history"][1]["time"]


async def test_only_the_session_that_sent_a_message_amends_it(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        one = await mail.sessions.open(workspace="", client="", lease_s=60)
        two = await mail.sessions.open(workspace="", client="", lease_s=60)
        sent = await mail.send.send(asked(secret=one.secret))
        await _refused(mail.box.amend(sent["id"], Amend("non")), "another_session")
        await _refused(mail.box.amend(sent["id"], Amend("non", secret=two.secret)), "another_session")
        await _refused(mail.box.amend(sent["id"], Amend("non", secret="rs-wrong")), "unknown_session")
        assert (await mail.box.amend(sent["id"], Amend("oui", secret=one.secret)))["body"] == "oui"


async def test_an_amendment_that_the_disk_changed_is_not_shown(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = await mail.send.send(asked(body="un"))
        await mail.box.amend(sent["id"], Amend("pay 100"))
    with contextlib.closing(sqlite3.connect(tmp_path / "node.db")) as database:
        (row, body), *_ = database.execute("SELECT rowid, body FROM entries ORDER BY rowid DESC LIMIT 1")
        database.execute("UPDATE entries SET body = ? WHERE rowid = ?", (body.replace(b"100", b"900"), row))
        database.commit()
    async with _mailing(tmp_path) as mail:
        with pytest.raises(StoreError) as caught:
            await mail.send.message(sent["id"])
        assert caught.value.code == "store_corrupt"


# --- found --------------------------------------------------------------------------------------------------------


async def test_a_search_finds_what_is_in_an_inbox_and_what_was_sent(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        mine = await mail.send.send(asked())
        other = await mail.send.send(asked("machine-b"))
        page = await mail.box.search(Search("reunion pret"))
        assert [(row["id"], row["status"]) for row in page["messages"]] == [
            (other["id"], "sent"),
            (mine["id"], "unread"),
        ]
        first = await mail.box.search(Search("reunion", limit=1))
        rest = await mail.box.search(Search("reunion", before=first["next"]))
        assert [row["id"] for row in first["messages"] + rest["messages"]] == [other["id"], mine["id"]]
        with pytest.raises(UsageError):
            await mail.box.search(Search("?"))


async def test_a_thread_is_found_by_its_name_and_by_any_message_in_it(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        first = await mail.send.send(asked(thread_id="thread-20260115-config-sync"))
        second = await mail.send.send(asked(thread_id="thread-20260115-config-sync"))
        for name in ("thread-20260115-config-sync", first["id"], second["id"]):
            thread = await mail.box.thread(name)
            assert thread["thread_id"] == "thread-20260115-config-sync"
            assert [row["depth"] for row in thread["messages"]] == [0, 0]
        assert (thread["unread"], thread["participants"], thread["count"]) == (2, ["machine-a"], 2)
        await _refused(mail.box.thread("thread-none"), "no_such_thread")
        await _refused(mail.box.thread("msg-20260115T091530-ffffff"), "no_such_thread")


async def test_a_cited_commit_is_shown_with_its_outcome(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        mail.store.commit([commit(7, EntryId(bytes(32)))])
        sent = await mail.send.send(asked(body="see #7 and #8"))
        shown = await mail.send.message(sent["id"])
        thread = await mail.box.thread(sent["id"])
    assert [row["number"] for row in shown["commits"]] == [7]
    assert thread["commits"] == shown["commits"]
    assert set(shown["commits"][0]["outcome"]) == {"accepted", "reason"}
