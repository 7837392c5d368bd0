"""Joining through the shared folder, on the side of the issuer (docs/protocol/folder.md §9).

    issuer: p2p/v1/<issuer>/join/hello                    while a code is outstanding
    joiner: p2p/v1/<joiner>/join/<invite>.request
    issuer: p2p/v1/<issuer>/join/<hash of it>.answer

The messages are those of the joining protocol, each in a file of its own whose writer is the machine in whose part it
lies. What proves who asks, and who answers, is the secret of the code.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import Final

import anyio

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import Identity
from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.folder.reading import check_marker
from roosync_p2p.core.ports import Folder
from roosync_p2p.errors import FolderError, PeerFault
from roosync_p2p.gossip.folder_file import HEADER_BYTES, unwrap, wrap
from roosync_p2p.gossip.folder_paths import ROOT, join_answer_path, join_hello_path
from roosync_p2p.node.folder_service import FolderService
from roosync_p2p.node.membership_service import MembershipService
from roosync_p2p.trust.joining import JOIN_NONCE_BYTES

__all__ = ["FolderDoor", "requests_in"]

_LOG: Final = logging.getLogger(__name__)
_SUFFIX: Final = ".request"


@dataclasses.dataclass(slots=True)
class _Door:
    """What is out while the door is open."""

    nonce: bytes
    answered: dict[bytes, str]  # the path of the answer, by the hash of its request


class FolderDoor:
    """Answers requests in the folder while a code of this issuer is outstanding."""

    def __init__(self, folder: FolderService, membership: MembershipService, identity: Identity) -> None:
        self._folder = folder
        self._membership = membership
        self._identity = identity
        self._door: _Door | None = None

    async def run(self) -> None:
        """Looks for as long as the node runs; a folder that cannot be used is asked again."""
        while self._identity.is_issuer:
            if self._membership.join_open():
                await self._look()
            elif self._door is not None:
                await self._close(self._door)
            await anyio.sleep(limits.FOLDER_JOIN_LOOK_S)

    async def _look(self) -> None:
        door = self._door or _Door(os.urandom(JOIN_NONCE_BYTES), {})
        hello = wrap(self._membership.hello_file(door.nonce))

        def work(folder: Folder) -> list[bytes]:
            check_marker(folder, self._identity.fleet)
            path = join_hello_path(self._identity.machine)
            if folder.read(path, bytes_max=len(hello) + 1) != hello:
                folder.write(path, hello)
            return requests_in(folder)

        requests = await self._folder.call(work)
        if isinstance(requests, FolderError):
            return
        self._door = door
        new = [request for request in requests if sha256(request) not in door.answered]
        for request in new[: limits.JOIN_ATTEMPTS_PER_MINUTE_MAX]:
            await self._answer(door, request)

    async def _answer(self, door: _Door, request: bytes) -> None:
        digest = sha256(request)
        path = join_answer_path(self._identity.machine, digest)
        answer = wrap(await self._membership.answer_file(door.nonce, request))
        done = await self._folder.call(lambda folder: folder.write(path, answer))
        if not isinstance(done, FolderError) and len(door.answered) < limits.FOLDER_MACHINES_MAX:
            door.answered[digest] = path
            _LOG.info("answered a request to join in the shared folder")

    async def _close(self, door: _Door) -> None:
        def work(folder: Folder) -> None:
            check_marker(folder, self._identity.fleet)
            for path in [join_hello_path(self._identity.machine), *door.answered.values()]:
                folder.delete(path)

        if not isinstance(await self._folder.call(work), FolderError):
            self._door = None


def requests_in(folder: Folder) -> list[bytes]:
    """The requests that lie in the parts of all machines and are whole; not more than a bound."""
    found: list[bytes] = []
    for machine in folder.items(ROOT)[: limits.FOLDER_MACHINES_MAX]:
        if not machine.folder:
            continue
        base = f"{ROOT}/{machine.name}/join"
        for item in folder.items(base)[: limits.INVITES_OUTSTANDING_MAX]:
            if item.folder or not item.name.endswith(_SUFFIX) or len(found) >= limits.INVITES_OUTSTANDING_MAX:
                continue
            data = folder.read(f"{base}/{item.name}", bytes_max=limits.JOIN_MESSAGE_BYTES_MAX + HEADER_BYTES + 1)
            try:
                found.append(unwrap(data or b"", size_max=limits.JOIN_MESSAGE_BYTES_MAX))
            except PeerFault:
                continue  # not whole yet, or no request
    return found
