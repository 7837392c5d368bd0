"""Joining in files: the issuer's door, the joiner's request, and what either believes."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import Identity, create_request, found_fleet
from roosync_p2p.adapters.shared_folder.directory import Directory
from roosync_p2p.adapters.shared_folder.opening import found_folder
from roosync_p2p.adapters.system import read_now
from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.errors import FolderError, NetworkError, PeerFault
from roosync_p2p.gossip.folder_file import HEADER_BYTES, wrap
from roosync_p2p.gossip.folder_paths import join_answer_path, join_hello_path, join_request_path
from roosync_p2p.ids import MachineId
from roosync_p2p.node.folder_door import FolderDoor, requests_in
from roosync_p2p.node.folder_joining import join_by_folder
from roosync_p2p.node.folder_service import FolderService
from roosync_p2p.node.membership_service import MembershipService
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.invites import JoinCode, decode_join_code
from roosync_p2p.trust.joining import IssuerSession, JoinerSession
from tests.helpers.running_node import running, until

pytestmark = pytest.mark.anyio

_FOUNDER, _NEW = MachineId("machine-a"), MachineId("machine-n")


class _Invite:
    machine: str | None = None
    ttl_s: int = 3_600
    contacts: tuple[str, ...] = ()


class _Issuer:
    def __init__(self, service: MembershipService, folder: Path) -> None:
        self.service = service
        self.folder = folder

    async def code(self) -> JoinCode:
        """A fresh code."""
        return decode_join_code(str((await self.service.invite(_Invite()))["code"]))


@pytest.fixture
async def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Issuer]:
    monkeypatch.setattr(limits, "FOLDER_JOIN_LOOK_S", 0.02)
    identity = _founded(tmp_path / "issuer")
    folder = tmp_path / "shared"
    folder.mkdir()
    found_folder(folder, identity.fleet)
    mine = NodeIdentity(
        machine=identity.machine,
        fleet=identity.fleet,
        key=identity.key,
        leaf=identity.leaf,
        issuer=identity.issuer,
        root=identity.root,
        issuer_key=identity.issuer_key,
    )
    async with running(mine, MemoryStore()) as node, anyio.create_task_group() as tasks:
        service = MembershipService(node.performer, identity, ())
        there = FolderService(node.performer, Directory(folder), lambda: folder)
        await tasks.start(there.run)
        tasks.start_soon(FolderDoor(there, service, identity).run)
        yield _Issuer(service, folder)
        tasks.cancel_scope.cancel()


def _founded(home: Path) -> Identity:
    return found_fleet(home, fleet_name="Écurie", machine=_FOUNDER, passphrase=None, wall_s=read_now().wall_ms // 1000)


async def _join(
    issuer: _Issuer, code: JoinCode, home: Path, machine: MachineId = _NEW, *, wait_s: float = 300.0
) -> Enrolment:
    """In a thread of its own, as the command does, without its second between two looks."""
    pause = threading.Event()

    def asks() -> Enrolment:
        pending = create_request(home, machine)
        return join_by_folder(
            issuer.folder, code, pending, lambda _: None, wait_s=wait_s, sleep=lambda _: (pause.wait(0.02), None)[1]
        )

    return await anyio.to_thread.run_sync(asks)


async def test_a_machine_joins_and_a_code_is_used_once(issuer: _Issuer, tmp_path: Path) -> None:
    code = await issuer.code()
    enrolment = await _join(issuer, code, tmp_path / "new")
    assert enrolment.machine == _NEW
    assert requests_in(Directory(issuer.folder)) == []  # the joiner took its request away
    with pytest.raises(PeerFault) as caught:
        await _join(issuer, code, tmp_path / "other", MachineId("machine-o"))
    assert caught.value.code == "invite_used"


async def test_the_same_request_again_gets_the_same_certificate(issuer: _Issuer, tmp_path: Path) -> None:
    code = await issuer.code()
    first = await _join(issuer, code, tmp_path / "new")
    assert (await _join(issuer, code, tmp_path / "new")).leaf == first.leaf


async def test_a_refusal_that_is_not_bound_to_the_code_is_waited_out(issuer: _Issuer, tmp_path: Path) -> None:
    code = await issuer.code()
    issuer.folder = tmp_path / "elsewhere"  # where no door is open, and somebody else answers
    issuer.folder.mkdir()
    found_folder(issuer.folder, code.fleet)
    folder = Directory(issuer.folder)
    folder.write(join_hello_path(_FOUNDER), wrap(issuer.service.hello_file(b"h" * 32)))

    async def forge() -> None:
        await until(lambda: bool(requests_in(folder)))
        (request,) = requests_in(folder)
        refusal = await issuer.service.answer_file(b"another nonce".ljust(32), request)
        folder.write(join_answer_path(_FOUNDER, sha256(request)), wrap(refusal))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forge)
        with pytest.raises(NetworkError) as caught:
            await _join(issuer, code, tmp_path / "new", wait_s=50.0)
    assert "does not prove" in caught.value.message


_LIES = ("cut short", "damaged", "altered", "older", "another's")


def _lie(lie: str, good: bytes, older: bytes, anothers: bytes) -> bytes:
    at = len(good) - 40
    flipped = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
    return {
        "cut short": good[: len(good) // 2],
        "damaged": flipped,
        "altered": wrap(flipped[HEADER_BYTES:]),
        "older": older,
        "another's": anothers,
    }[lie]


@pytest.mark.parametrize("lie", _LIES)
@pytest.mark.parametrize("kind", ["hello", "request", "answer"])
async def test_a_file_of_the_conversation_that_was_tampered_with_lets_nobody_in_and_is_waited_out(
    issuer: _Issuer, tmp_path: Path, kind: str, lie: str
) -> None:
    """Nobody's door is open there: the test carries the files, and tampers with one of them."""
    code, others = await issuer.code(), await issuer.code()
    place = tmp_path / "elsewhere"
    place.mkdir()
    found_folder(place, code.fleet)
    folder, now, before = Directory(place), b"n" * 32, b"b" * 32
    hello = wrap(issuer.service.hello_file(now))
    strange = _other_fleets_hello(tmp_path / "strangers")
    request = _request(issuer, others, tmp_path / "other", MachineId("machine-o"), now)
    older_request = _request(issuer, code, tmp_path / "new", _NEW, before)
    request_path = join_request_path(_NEW, code.invite)
    lied: dict[str, bytes] = {}

    async def carry(honest: bool) -> None:
        """What the door would do, once."""
        shown = hello if honest or kind != "hello" else _lie(lie, hello, wrap(b"before"), strange)
        if folder.read(join_hello_path(_FOUNDER), bytes_max=20_000) != shown:
            folder.write(join_hello_path(_FOUNDER), shown)
        lied["hello"] = shown
        if kind == "request" and not honest and "request" not in lied:
            asked = folder.read(request_path, bytes_max=20_000)
            if asked is None:
                return
            lied["request"] = _lie(lie, asked, wrap(older_request), wrap(request))
            folder.write(request_path, lied["request"])
        for said in requests_in(folder):
            answer = wrap(await issuer.service.answer_file(now, said))
            if kind == "answer" and not honest:
                answer = _lie(lie, answer, wrap(await issuer.service.answer_file(before, said)), wrap(b"another's"))
            folder.write(join_answer_path(_FOUNDER, sha256(said)), answer)
            lied["answer"] = answer

    def asks(honest: bool) -> Enrolment:
        pending = create_request(tmp_path / "new", _NEW)
        return join_by_folder(
            place, code, pending, lambda _: None, wait_s=6.0, sleep=lambda _: anyio.from_thread.run(carry, honest)
        )

    with pytest.raises(NetworkError) as caught:
        await anyio.to_thread.run_sync(asks, False)
    assert caught.value.code == "issuer_unreachable"
    assert kind in lied
    if kind == "hello":
        assert folder.read(join_hello_path(_FOUNDER), bytes_max=20_000) == lied["hello"]
    enrolment = await anyio.to_thread.run_sync(asks, True)
    assert enrolment.machine == _NEW


def _other_fleets_hello(home: Path) -> bytes:
    """The hello of an issuer of another fleet."""
    stranger = _founded(home)
    session = IssuerSession(leaf=stranger.leaf, issuer=stranger.issuer, root=stranger.root, nonce=b"n" * 32)
    return wrap(session.hello())


def _request(issuer: _Issuer, code: JoinCode, home: Path, machine: MachineId, nonce: bytes) -> bytes:
    """A request with this code, in a conversation with that nonce."""
    key = create_request(home, machine).key
    session = JoinerSession(code, machine, key, b"j" * 32, time_ms=read_now().wall_ms)
    return session.on_hello_file(issuer.service.hello_file(nonce))


async def test_without_an_issuer_it_says_so_and_without_the_folder_too(issuer: _Issuer, tmp_path: Path) -> None:
    code = await issuer.code()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    issuer.folder = elsewhere
    with pytest.raises(FolderError) as unmounted:
        await _join(issuer, code, tmp_path / "new")
    assert unmounted.value.code == "folder_unmounted"
    found_folder(elsewhere, code.fleet)
    with pytest.raises(NetworkError) as silent:
        await _join(issuer, code, tmp_path / "new", wait_s=2.0)
    assert silent.value.code == "issuer_unreachable"
