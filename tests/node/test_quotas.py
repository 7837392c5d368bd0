"""Who sends too fast or too much is told so, and nothing was sent; what others wrote is kept whatever its size."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roosync_p2p.api.schemas import AttachmentRequest
from roosync_p2p.clock import Now
from roosync_p2p.core.rows import EntryRow
from roosync_p2p.errors import InputFault
from roosync_p2p.node.mail_service import MailService
from roosync_p2p.node.mailbox_service import MailboxService
from roosync_p2p.node.quotas import Quotas
from tests.helpers.actors import NOW, A, Actor, B
from tests.helpers.asking import Amend, MailNode, asked, mail_node

pytestmark = pytest.mark.anyio


@dataclasses.dataclass
class _Mail:
    """A node with quotas and a clock that a test sets."""

    on: MailNode
    quotas: Quotas
    now: Now = NOW

    @property
    def send(self) -> MailService:
        return MailService(
            self.on.node.performer, self.on.store, self.on.node.events, self.on.sessions, self.quotas, self.on.waking
        )

    @property
    def box(self) -> MailboxService:
        return MailboxService(self.on.node.performer, self.on.store, self.on.sessions, self.quotas, self.on.waking)


@contextlib.asynccontextmanager
async def _mailing(tmp_path: Path, *, sends: int = 3, size: int = 10**9) -> AsyncIterator[_Mail]:
    async with mail_node(tmp_path) as on:
        mail: _Mail

        def now() -> Now:
            return mail.now

        mail = _Mail(on, Quotas(on.node.performer, on.store, sends_a_minute=sends, mail_bytes_max=size, now=now))
        yield mail


async def test_a_session_sends_so_many_a_minute_and_is_told_when_it_may_again(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        sent = [await mail.send.send(asked(user="a", process=1)) for _ in range(2)]
        await mail.box.amend(sent[0]["id"], Amend("Autrement", user="a", process=1))
        mail.now = mail.now.later(20.0)
        again = functools.partial(mail.send.send, asked(user="a", process=1))
        amended = functools.partial(mail.box.amend, sent[0]["id"], Amend("Encore", user="a", process=1))
        for retry in (again, amended):
            with pytest.raises(InputFault) as fast:
                await retry()
            assert fast.value.code == "sending_too_fast"
            assert fast.value.details == {"sends_a_minute": 3, "retry_after_s": 40}
        assert "40 s" in fast.value.remedy
        assert (await mail.send.send(asked(user="a", process=2)))["id"]
        assert (await mail.send.send(asked()))["id"]
        mail.now = mail.now.later(40.0)
        assert (await mail.send.send(asked(user="a", process=1)))["id"]


async def test_a_session_with_a_secret_has_a_pace_of_its_own(tmp_path: Path) -> None:
    async with _mailing(tmp_path, sends=1) as mail:
        one, other = [await mail.on.sessions.open(workspace="w", client="", lease_s=60) for _ in range(2)]
        await mail.send.send(asked(secret=one.secret))
        with pytest.raises(InputFault):
            await mail.send.send(asked(secret=one.secret))
        await mail.send.send(asked(secret=other.secret))


async def test_a_retry_and_what_was_refused_for_another_reason_do_not_count(tmp_path: Path) -> None:
    async with _mailing(tmp_path, sends=2) as mail:
        first = await mail.send.send(asked(idempotency_key="k"))
        for _ in range(3):
            assert await mail.send.send(asked(idempotency_key="k")) == first
            with pytest.raises(InputFault) as unknown:
                await mail.send.send(asked("nobody-here"))
            assert unknown.value.code == "unknown_recipient"
        await mail.send.send(asked())


async def test_an_author_sends_nothing_beyond_the_mail_that_it_may_have(tmp_path: Path) -> None:
    async with _mailing(tmp_path, sends=100, size=5_000) as mail:
        for _ in range(4):
            await mail.send.send(asked(body="x" * 520))
        with pytest.raises(InputFault) as full:
            await mail.send.send(asked(body="x" * 520))
        assert full.value.code == "mail_quota"
        assert full.value.details["limit_bytes"] == 5_000
        assert int(str(full.value.details["retry_after_s"])) > 0
        (warned,) = mail.quotas.warnings()
        assert "machine-a" in str(warned["message"])


async def test_the_files_of_a_message_take_room_before_it_is_written(tmp_path: Path) -> None:
    def bringing(size: int) -> AttachmentRequest:
        return AttachmentRequest(name="trace.log", sha256="ab" * 32, size=size)

    async with _mailing(tmp_path, size=5_000) as mail:
        for _ in range(3):  # none was uploaded: there is room for each of them alone, and none of them counts
            with pytest.raises(InputFault) as absent:
                await mail.send.send(asked(attachments=(bringing(2_000), bringing(2_000))))
            assert absent.value.code == "no_such_upload"
        with pytest.raises(InputFault) as full:
            await mail.send.send(asked(attachments=(bringing(2_000), bringing(4_000))))
        assert full.value.code == "mail_quota"


async def test_what_is_kept_is_measured_after_a_restart(tmp_path: Path) -> None:
    async with _mailing(tmp_path) as mail:
        await mail.send.send(asked(body="x" * 5_000))
    async with _mailing(tmp_path, size=6_000) as mail:
        await mail.quotas.measure()
        with pytest.raises(InputFault) as full:
            await mail.send.send(asked(body="x" * 520))
        assert full.value.code == "mail_quota"


async def test_what_another_author_wrote_beyond_its_quota_is_kept_and_named(tmp_path: Path) -> None:
    async with _mailing(tmp_path, size=2_000) as mail:
        author = Actor(B)
        entries = [author.begin(), *(author.say(A, body="y" * 1_000) for _ in range(3))]
        mail.on.store.commit([EntryRow.of(entry, NOW.wall_ms) for entry in entries])
        await mail.quotas.measure()
        (warned,) = mail.quotas.warnings()
        assert (warned["code"], "machine-b" in str(warned["message"])) == ("mail_quota", True)
        assert "nothing is dropped" in str(warned["remedy"])
        assert (await mail.send.send(asked()))["id"]
