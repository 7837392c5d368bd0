"""Waking over a real database: what is due, what was taken, what a crash leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.waking.port import wake_fault
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.core.wake_settings import parse_wakes
from roosync_p2p.errors import InputFault, StoreError
from roosync_p2p.mailbox.wakes import Woken
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.sessions import OpenedSession, Sessions
from roosync_p2p.node.waking import Waking
from tests.helpers.asking import Ack, Archive, MailNode, Spoken, asked, mail_node
from tests.helpers.running_node import until

pytestmark = pytest.mark.anyio

LEASE_S = 100.0


class Bell:
    """A waker that keeps what it was told. ``broken``: what goes wrong, if anything does."""

    def __init__(self) -> None:
        self.rung: list[Woken] = []
        self.broken = ""

    async def wake(self, woken: Woken) -> None:
        self.rung.append(woken)
        if self.broken:
            raise wake_fault(self.broken)


@dataclasses.dataclass
class Office:
    """A node whose agents are woken, with a wall clock that a test sets."""

    on: MailNode
    path: Path
    sessions: Sessions
    bell: Bell = dataclasses.field(default_factory=Bell)
    wall_ms: int = 1_768_435_200_000
    waking: Waking = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        content = {"notify": True, "workspaces": ["web"], "gather_s": 0, "every_s": 0, "lease_s": LEASE_S}
        self.waking = Waking(
            self.on.node.performer,
            self.on.store,
            self.on.node.events,
            self.sessions,
            parse_wakes({"bell": content}),
            {"bell": self.bell},
            path=self.path,
            now_ms=lambda: self.wall_ms,
        )

    @property
    def mail(self) -> MailService:
        node, on = self.on.node, self.on
        return MailService(node.performer, on.store, node.events, self.sessions, on.quotas, self.waking)

    @property
    def box(self) -> MailboxService:
        return MailboxService(self.on.node.performer, self.on.store, self.sessions, self.on.quotas, self.waking)

    async def sent(self, to: str = "machine-a:web", **fields: Any) -> str:
        return str((await self.mail.send(asked(to, **fields)))["id"])

    async def opened(self, workspace: str = "web") -> OpenedSession:
        return await self.sessions.open(workspace=workspace, client="", lease_s=3600)

    def later(self, seconds: float) -> None:
        """Time passes, and the node notices."""
        self.wall_ms += round(seconds * 1000)
        self.on.node.events.add("session", {"state": "closed"})

    async def until_rung(self, count: int) -> Woken:
        await until(lambda: len(self.bell.rung) == count)
        return self.bell.rung[-1]

    def notices(self) -> list[str]:
        """Subjects of what the senders, who are on this machine, were told."""
        rows = self.on.store.inbox(InboxQuery(workspaces=None, status="all")).items
        return [item.message.subject for item in rows if "delivery" in item.message.tags]


@contextlib.asynccontextmanager
async def _office(tmp_path: Path) -> AsyncIterator[Office]:
    async with mail_node(tmp_path) as on:
        office: Office
        sessions = Sessions(tmp_path / "sessions.json", now_ms=lambda: office.wall_ms)
        office = Office(on, tmp_path / "wakes.json", sessions)
        yield office


@contextlib.asynccontextmanager
async def _running(office: Office) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.waking.run)
        yield
        tasks.cancel_scope.cancel()


async def test_what_waits_since_before_the_start_is_woken_for_and_what_was_read_is_not(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        read, waiting = await office.sent(), await office.sent()
        await office.mail.read(read, Spoken(workspace="web"))
        async with _running(office):
            assert (await office.until_rung(1)).messages == (waiting,)
            other = await office.sent("machine-a")
            last = await office.sent()
            assert (await office.until_rung(2)).messages == (last,)
            assert other not in str(office.bell.rung)


async def test_after_three_wakes_in_vain_the_sender_hears_once_also_over_a_crash(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent = await office.sent(subject="Personne ?")
        async with _running(office):
            for count in (1, 2, 3):
                assert (await office.until_rung(count)).attempt == count
                kept = office.path.read_bytes()
                office.later(LEASE_S)
            await until(lambda: bool(office.notices()))
        assert office.notices() == ["Nobody took it: Personne ?"]
        office.path.write_bytes(kept)  # the crash came between the notice and the book
        again = Office(office.on, office.path, office.sessions, wall_ms=office.wall_ms)
        async with _running(again):
            await until(lambda: again.waking._book.next_ms(again.wall_ms, again.waking._is_busy) is None)
        assert again.bell.rung == []
        assert len(again.notices()) == 1
        assert (await again.mail.message(sent))["status"] == "unread"


async def test_about_a_notice_nobody_is_told_anything(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        await office.sent(type="status", tags=("delivery", "bounced"), subject="Cannot be delivered")
        async with _running(office):
            for count in (1, 2, 3):
                await office.until_rung(count)
                office.later(LEASE_S)
            await until(lambda: office.waking._book.next_ms(office.wall_ms, office.waking._is_busy) is None)
        assert office.notices() == ["Cannot be delivered"]


async def test_an_adapter_that_fails_is_named_until_it_works_again(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        office.bell.broken = "the wire is cut"
        await office.sent()
        async with _running(office):
            await until(lambda: bool(office.waking.warnings()))
            (warned,) = office.waking.warnings()
            assert (warned["code"], "wake.bell" in str(warned["message"])) == ("wake_failed", True)
            assert "the wire is cut" in str(warned["message"])
            office.bell.broken = ""
            office.later(LEASE_S)
            await until(lambda: not office.waking.warnings())


async def test_nobody_is_woken_for_what_was_taken_until_its_taker_goes(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent = await office.sent()
        async with _running(office):
            await office.until_rung(1)
            one = await office.opened()
            taken = await office.box.take(sent, Spoken(secret=one.secret, lease_s=10 * LEASE_S))
            assert taken["workspaces"] == ["web"]
            office.later(2 * LEASE_S)
            await office.sent()
            assert sent not in (await office.until_rung(2)).messages
            await office.sessions.close(one.secret)
            office.later(0)
            assert sent in (await office.until_rung(3)).messages
        assert (await office.mail.message(sent))["status"] == "unread"


async def test_what_was_taken_and_not_read_in_time_is_anybodys_again(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent, one, other = await office.sent(), await office.opened(), await office.opened()
        await office.box.take(sent, Spoken(secret=one.secret, lease_s=60))
        with pytest.raises(InputFault) as taken:
            await office.box.take(sent, Spoken(secret=other.secret))
        assert (taken.value.code, taken.value.details["session"]) == ("taken", one.id)
        await office.box.take(sent, Spoken(secret=one.secret, lease_s=120))  # it may ask for longer
        office.later(61)
        with pytest.raises(InputFault):
            await office.box.ack(sent, Ack(workspace="web", secret=other.secret))
        office.later(60)
        assert (await office.box.take(sent, Spoken(secret=other.secret)))["session"] == other.id


async def test_a_take_outlives_the_node_and_not_its_session(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent, one, other = await office.sent(), await office.opened(), await office.opened()
        await office.box.take(sent, Spoken(secret=one.secret, lease_s=600))
        again = Office(office.on, office.path, office.sessions, wall_ms=office.wall_ms)
        with pytest.raises(InputFault) as taken:
            await again.box.archive(Archive((sent,), workspace="web", secret=other.secret))
        assert taken.value.code == "taken"
        await again.sessions.close(one.secret)
        await again.box.archive(Archive((sent,), workspace="web", secret=other.secret))
        assert (await again.mail.message(sent))["status"] == "archived"


async def test_a_message_for_one_workspace_is_not_taken_by_a_session_of_another(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent, api = await office.sent(), await office.opened("api")
        for workspace, code in (("web", "another_workspace"), (None, "not_a_recipient")):
            with pytest.raises(InputFault) as refused:
                await office.box.take(sent, Spoken(workspace=workspace, secret=api.secret))
            assert refused.value.code == code
        with pytest.raises(InputFault) as guessed:
            await office.box.take(sent, Spoken(workspace="web", secret="rs-guessed"))
        assert guessed.value.code == "unknown_session"


async def test_who_reads_what_another_took_is_shown_it_and_marks_nothing(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent, one = await office.sent(), await office.opened()
        await office.box.take(sent, Spoken(secret=one.secret))
        for reader in (Spoken(workspace="web"), Spoken(workspace="web", user="a", process=1)):
            shown = await office.mail.read(sent, reader)
            assert (shown["status"], bool(shown["body"])) == ("unread", True)
        assert (await office.mail.read(sent, Spoken(workspace="web", secret=one.secret)))["status"] == "read"
        with pytest.raises(InputFault) as again:
            await office.box.take(sent, Spoken(secret=one.secret))
        assert again.value.code == "already_read"


@pytest.mark.parametrize("damaged", [b"", b"[]", b'{"takes": [1]}', b"\x00"])
async def test_a_damaged_book_is_begun_anew(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "wakes.json").write_bytes(damaged)
    async with _office(tmp_path) as office:
        sent = await office.sent()
        async with _running(office):
            assert (await office.until_rung(1)).messages == (sent,)


async def test_what_was_told_is_forgotten_once_it_is_read(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        sent = await office.sent()
        async with _running(office):
            for count in (1, 2, 3):
                await office.until_rung(count)
                office.later(LEASE_S)
            await until(lambda: [one.told for one in office.waking._book.waiting] == [True])
            await office.mail.read(sent, Spoken(workspace="web"))
        again = Office(office.on, office.path, office.sessions, wall_ms=office.wall_ms)
        assert len(again.waking._book.waiting) == 1
        async with _running(again):
            await until(lambda: again.waking._book.waiting == [])


async def test_a_sender_who_cannot_be_told_now_is_told_later(tmp_path: Path) -> None:
    async with _office(tmp_path) as office:
        await office.sent()
        async with _running(office):
            for count in (1, 2, 3):
                await office.until_rung(count)
                if count == 3:
                    fault = StoreError("no room", code="disk_full")
                    office.on.node.performer.core.requests.store_fault = fault
                office.later(LEASE_S)
            await until(lambda: _due_in_s(office) == limits.WAKE_EVERY_S)
            assert office.notices() == []
            office.on.node.performer.core.requests.store_fault = None
            office.later(limits.WAKE_EVERY_S)
            await until(lambda: len(office.notices()) == 1)


def _due_in_s(office: Office) -> float | None:
    due_ms = office.waking._book.next_ms(office.wall_ms, office.waking._is_busy)
    return None if due_ms is None else (due_ms - office.wall_ms) / 1000
