"""Joining through the shared folder, on the side of the machine that joins (docs/protocol/folder.md §9)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import PendingIdentity
from roosync_p2p.adapters.shared_folder.directory import Directory
from roosync_p2p.adapters.system import read_now
from roosync_p2p.codec.digests import sha256
from roosync_p2p.core.folder.reading import check_marker
from roosync_p2p.core.ports import Folder
from roosync_p2p.errors import FolderError, NetworkError, PeerFault
from roosync_p2p.gossip.folder_file import HEADER_BYTES, unwrap, wrap
from roosync_p2p.gossip.folder_paths import join_answer_path, join_hello_path, join_request_path
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.invites import JoinCode
from roosync_p2p.trust.joining import JOIN_NONCE_BYTES, JoinerSession

__all__ = ["join_by_folder"]


def join_by_folder(
    path: Path,
    code: JoinCode,
    pending: PendingIdentity,
    progress: Callable[[str], None],
    *,
    wait_s: float = limits.FOLDER_JOIN_WAIT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Enrolment:
    """Leaves the request in the folder and waits for the answer; blocks.

    Raises:
        FolderError: the folder is not there, or is another fleet's.
        PeerFault: the issuer refused, and proved that it was the issuer.
        NetworkError: no answer came in time; the request stays there, and the same command goes on waiting.
    """
    folder = Directory(path)
    check_marker(folder, code.fleet)
    asking = _Asking(folder, code, pending)
    progress(f"asking {code.issuer} through {path}")
    waited_s = 0.0
    while waited_s < wait_s:
        enrolment = asking.look()
        if enrolment is not None:
            return enrolment
        sleep(limits.FOLDER_JOIN_POLL_S)
        waited_s += limits.FOLDER_JOIN_POLL_S
    raise NetworkError(
        f"{code.issuer} did not answer through the shared folder in time: {asking.why}",
        code="issuer_unreachable",
        remedy=f"start `roosync up` on {code.issuer}, with this folder; then run the same command again",
    )


class _Asking:
    """One request, made anew when the issuer begins another conversation."""

    def __init__(self, folder: Folder, code: JoinCode, pending: PendingIdentity) -> None:
        self._folder = folder
        self._code = code
        self._pending = pending
        self._hello = self._bad_hello = b""
        self._session: JoinerSession | None = None
        self._answer_path = ""
        self.why = "nothing of it is there yet"

    def look(self) -> Enrolment | None:
        """What there is now: the certificates, or nothing yet."""
        hello = self._read(join_hello_path(self._code.issuer))
        if hello is not None and hello not in (self._hello, self._bad_hello):
            try:
                self._ask(hello)
            except PeerFault as fault:  # anybody could have written that; the right one may come
                self._bad_hello, self.why = hello, fault.message
        answer = self._read(self._answer_path) if self._answer_path else None
        if answer is None or self._session is None:
            return None
        try:
            enrolment = self._session.on_answer(answer)
        except PeerFault as fault:
            if fault.details.get("bound"):
                raise
            self.why = fault.message  # anybody could have written that
            return None
        self._folder.delete(self._request_path)
        return enrolment

    @property
    def _request_path(self) -> str:
        return join_request_path(self._pending.machine, self._code.invite)

    def _ask(self, hello: bytes) -> None:
        nonce, now_ms = os.urandom(JOIN_NONCE_BYTES), read_now().wall_ms
        session = JoinerSession(self._code, self._pending.machine, self._pending.key, nonce, time_ms=now_ms)
        request = session.on_hello_file(hello)
        self._folder.write(self._request_path, wrap(request))
        self._hello, self._session = hello, session
        self._answer_path = join_answer_path(self._code.issuer, sha256(request))
        self.why = "it has not answered yet"

    def _read(self, path: str) -> bytes | None:
        try:
            data = self._folder.read(path, bytes_max=limits.JOIN_MESSAGE_BYTES_MAX + HEADER_BYTES + 1)
            return None if data is None else unwrap(data, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
        except (FolderError, PeerFault):  # held open, or not whole yet
            return None
