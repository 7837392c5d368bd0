"""Invites and joining at the issuer: a code works once, and nothing leaves before it is durable."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from roosync_p2p.adapters.keystore import Identity, found_fleet
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now
from roosync_p2p.adapters.websocket.joining import JoinConnection
from roosync_p2p.codec.records import encode
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.core.ports import DialOutcome, Store
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.errors import EnvironmentFault, InputFault, MalformedError, NetworkError, PeerFault, StoreError
from roosync_p2p.ids import MachineId
from roosync_p2p.node.membership_service import MembershipService
from roosync_p2p.trust.dial_back import DialBack, DialledBack, decode_dialled_back
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.invites import decode_join_code
from roosync_p2p.trust.joining import JoinerSession
from roosync_p2p.trust.statements import MEMBER_ADMIT
from tests.helpers.running_node import Node, running, until
from tests.helpers.trust import key_from

pytestmark = pytest.mark.anyio

_DIAL_BACK = encode(DialBack(port=47_600))
_FOUNDER, _NEW, _OTHER = (MachineId(name) for name in ("machine-a", "machine-n", "machine-o"))


@dataclasses.dataclass(frozen=True)
class _Invite:
    machine: str | None = None
    ttl_s: int = 3_600
    contacts: tuple[str, ...] = ()


class _Conversation:
    """The joiner's end of a conversation, played by a session, without a socket in between."""

    def __init__(
        self,
        code: str,
        machine: MachineId,
        word: str,
        leaf: bytes,
        *,
        deaf: bool = False,
        asks: Sequence[bytes] = (),
        clock_ms: int = 0,
    ) -> None:
        self.remote = "10.0.0.7:50000"
        self.found: DialOutcome | None = None
        self.dialled: list[tuple[int, bytes]] = []
        self.report: DialledBack | None = None
        self._says = list(asks)
        self.enrolment: Enrolment | None = None
        self.refused: PeerFault | None = None
        self._session = JoinerSession(decode_join_code(code), machine, key_from(word), b"n" * 32, time_ms=clock_ms)
        self._leaf = leaf
        self._request = b""
        self._deaf = deaf

    async def send(self, message: bytes) -> None:
        """What the issuer says."""
        if self.enrolment is not None:
            self.report = decode_dialled_back(message)
        elif not self._request:
            self._request = self._session.on_hello(message, peer_leaf_der=self._leaf)
            self._says.insert(0, self._request)
        elif self._deaf:
            raise NetworkError("the line is dead", code="join_ended")
        else:
            try:
                self.enrolment = self._session.on_answer(message)
            except PeerFault as fault:
                self.refused = fault

    async def receive(self) -> bytes:
        """What the joiner says; when it has said all, it hangs up."""
        if not self._says:
            raise NetworkError("hung up", code="join_ended")
        return self._says.pop(0)

    async def dial_back(self, port: int, *, leaf: bytes) -> DialOutcome | None:
        """The issuer tries to reach the joiner."""
        self.dialled.append((port, leaf))
        return self.found

    async def aclose(self, reason: str = "") -> None:
        """The end."""


class _Issuer:
    def __init__(self, node: Node, identity: Identity, store: Store) -> None:
        self.node = node
        self.identity = identity
        self.store = store
        self.service = MembershipService(node.performer, identity, store.load().invites)

    async def join(
        self,
        code: str,
        machine: MachineId = _NEW,
        word: str = "new",
        *,
        deaf: bool = False,
        asks: Sequence[bytes] = (),
        found: DialOutcome | None = None,
        clock_ms: int = 0,
    ) -> _Conversation:
        """One stranger tries."""
        leaf = self.identity.leaf
        talk = _Conversation(code, machine, word, leaf, deaf=deaf, asks=asks, clock_ms=clock_ms)
        talk.found = found
        await self.service.serve_joiner(cast("JoinConnection", talk))  # it has what is used of one
        return talk

    async def code(self, machine: str | None = None) -> str:
        """A fresh code."""
        return str((await self.service.invite(_Invite(machine=machine)))["code"])

    def admitted(self) -> int:
        """How many admissions are in the ledger chain on disk."""
        rows = self.store.entries(_FOUNDER, 1, LEDGER, 1, count_max=99, bytes_max=10**6)
        return len([row for row in rows if row.kind == MEMBER_ADMIT])


@contextlib.asynccontextmanager
async def _issuing(
    tmp_path: Path, store: Store | None = None, identity: Identity | None = None
) -> AsyncIterator[_Issuer]:
    own = identity or found_fleet(
        tmp_path / "home", fleet_name="Écurie", machine=_FOUNDER, passphrase=None, wall_s=read_now().wall_ms // 1000
    )
    opened = SqliteStore.open(tmp_path / "node.db") if store is None else store
    core = NodeIdentity(
        machine=own.machine,
        fleet=own.fleet,
        key=own.key,
        leaf=own.leaf,
        issuer=own.issuer,
        root=own.root,
        issuer_key=own.issuer_key,
    )
    try:
        async with running(core, opened) as node:
            await until(lambda: node.performer.core.authorship.phase.value == "ready")
            yield _Issuer(node, own, opened)
    finally:
        if store is None:
            opened.close()


async def test_a_joiner_with_a_code_is_admitted_and_everything_is_durable(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        talk = await issuer.join(await issuer.code())
        assert talk.enrolment is not None
        assert talk.enrolment.machine == _NEW
        assert _NEW in issuer.node.performer.core.members()
        assert [row.machine for row in issuer.store.load().members if row.machine == _NEW] == [_NEW]
        assert issuer.admitted() == 1


async def test_a_joiner_whose_clock_is_a_year_off_gets_no_certificate_and_keeps_its_code(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code, now_ms = await issuer.code(), read_now().wall_ms
        talk = await issuer.join(code, clock_ms=now_ms - 366 * 24 * 3600 * 1000)
        assert talk.refused is not None
        assert talk.refused.code == "clock_doubtful"
        assert "366.0 days ahead" in talk.refused.message
        talk = await issuer.join(code, clock_ms=now_ms)
        assert talk.enrolment is not None


async def test_a_code_works_once(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code = await issuer.code()
        await issuer.join(code)
        talk = await issuer.join(code, _OTHER, "other")
        assert talk.refused is not None
        assert talk.refused.code == "invite_used"
        assert issuer.admitted() == 1


async def test_a_lost_answer_is_given_again_to_the_same_key(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code = await issuer.code()
        await issuer.join(code, deaf=True)
        talk = await issuer.join(code)
        assert talk.enrolment is not None
        assert issuer.admitted() == 1


async def test_a_member_id_is_not_given_to_another_key(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        await issuer.join(await issuer.code())
        talk = await issuer.join(await issuer.code(), _NEW, "somebody else")
        assert talk.refused is not None
        assert talk.refused.code == "machine_exists"


async def test_a_code_is_remembered_over_a_restart(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code, identity = await issuer.code(), issuer.identity
        assert issuer.service.join_open()
    async with _issuing(tmp_path, identity=identity) as again:
        assert again.service.join_open()
        assert (await again.join(code)).enrolment is not None


async def test_a_used_code_is_used_over_a_restart(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code, identity = await issuer.code(), issuer.identity
        await issuer.join(code)
    async with _issuing(tmp_path, identity=identity) as again:
        talk = await again.join(code, _OTHER, "other")
        assert talk.refused is not None
        assert talk.refused.code == "invite_used"


async def test_without_a_code_nobody_is_answered(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        assert not issuer.service.join_open()


async def test_a_code_for_a_member_is_not_made(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        with pytest.raises(InputFault) as caught:
            await issuer.code(machine=_FOUNDER)
        assert caught.value.code == "machine_exists"


async def test_no_certificate_leaves_while_the_disk_fails_and_the_code_is_not_given_to_another(tmp_path: Path) -> None:
    store = MemoryStore()
    async with _issuing(tmp_path, store) as issuer:
        code = await issuer.code()
        store.fault = StoreError("the disk is full", code="disk_full", remedy="make room")
        talk = await issuer.join(code)
        assert talk.enrolment is None
        assert talk.refused is not None
        other = await issuer.join(code, _OTHER, "other")
        assert other.enrolment is None
        again = await issuer.join(code)
        assert again.enrolment is None
        store.fault = None
        await until(lambda: issuer.node.performer.core.requests.store_fault is None)
        late = await issuer.join(code, _OTHER, "other")
        assert late.refused is not None
        assert late.refused.code == "invite_used"
        talk = await issuer.join(code)
        assert talk.enrolment is not None
        assert issuer.admitted() == 1


async def test_a_code_is_not_shown_while_the_disk_fails(tmp_path: Path) -> None:
    store = MemoryStore()
    async with _issuing(tmp_path, store) as issuer:
        store.fault = StoreError("the disk is full", code="disk_full", remedy="make room")
        with pytest.raises(EnvironmentFault):
            await issuer.code()
        assert not issuer.service.join_open()
        store.fault = None


# --- dialling back ------------------------------------------------------------------------------------------------


async def test_a_joiner_that_asks_is_dialled_back_and_told(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        talk = await issuer.join(await issuer.code(), asks=[_DIAL_BACK])
        assert talk.enrolment is not None
        assert talk.dialled == [(47_600, talk.enrolment.leaf)]
        assert talk.report == DialledBack(outcome="connected", host="10.0.0.7")
        assert issuer.node.performer.core.desk.counters["join.dial_back_connected"] == 1


async def test_a_dial_back_that_fails_is_told_with_what_was_seen(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        talk = await issuer.join(await issuer.code(), asks=[_DIAL_BACK], found=DialOutcome.UNANSWERED)
        assert talk.report == DialledBack(outcome="unanswered", host="10.0.0.7")


async def test_a_joiner_of_an_older_version_hangs_up_and_is_a_member(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        talk = await issuer.join(await issuer.code())
        assert (talk.dialled, talk.report) == ([], None)
        assert _NEW in issuer.node.performer.core.members()


async def test_whoever_is_refused_cannot_have_anybody_dialled(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code = await issuer.code()
        await issuer.join(code)
        talk = await issuer.join(code, _OTHER, "other", asks=[_DIAL_BACK])
        assert talk.refused is not None
        assert talk.dialled == []


async def test_one_conversation_is_one_dial(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        talk = await issuer.join(await issuer.code(), asks=[_DIAL_BACK, _DIAL_BACK])
        assert len(talk.dialled) == 1


async def test_an_answer_that_is_given_again_may_be_followed_by_the_question_too(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code = await issuer.code()
        await issuer.join(code, deaf=True)
        talk = await issuer.join(code, asks=[_DIAL_BACK])
        assert talk.enrolment is not None
        assert talk.dialled == [(47_600, talk.enrolment.leaf)]


async def test_what_is_no_question_dials_nobody(tmp_path: Path) -> None:
    async with _issuing(tmp_path) as issuer:
        code = await issuer.code()
        with pytest.raises(MalformedError):
            await issuer.join(code, asks=[b"dial 10.0.0.1:22, please"])
        talk = await issuer.join(code)
        assert talk.enrolment is not None
        assert talk.dialled == []
