"""The sockets that the API listens on: a unix socket in the home, 127.0.0.1 on Windows or when asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from roosync_p2p import limits
from roosync_p2p.errors import NetworkError

__all__ = ["open_tcp", "open_unix", "private_folder", "socket_paths"]


def open_tcp() -> socket.socket:
    """A listening socket on 127.0.0.1 and a free port.

    Raises:
        NetworkError: the system gives none.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # nobody may listen beside us
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise NetworkError(f"the local API cannot listen on 127.0.0.1: {error}", code="api_listen") from error
    return listener


def socket_paths(home: Path, *, runtime_dir: str | None, temp_dir: str, uid: int) -> list[Path]:
    """Where the unix socket may be, best first; only paths that fit into ``sun_path``.

    Outside the home the folder carries a digest of the home, so that each home has its own.
    """
    name = f"roosync-{uid}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    folders = [home, *(Path(folder) / name for folder in (runtime_dir, temp_dir, "/tmp") if folder)]  # noqa: S108
    paths = [folder / "api.sock" for folder in folders]
    return [path for path in paths if len(os.fsencode(path)) <= limits.API_SOCKET_PATH_BYTES_MAX]


def private_folder(folder: Path) -> None:
    """Makes a folder that only its owner can enter, or checks that it is one: others can write to /tmp.

    Raises:
        NetworkError: somebody else owns it, or others may enter.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    owned = sys.platform == "win32" or facts.st_uid == os.getuid()
    if not stat.S_ISDIR(facts.st_mode) or not owned or (sys.platform != "win32" and facts.st_mode & 0o077):
        raise NetworkError(
            f"{folder} is not a folder that belongs to this user alone, so the API socket is not put there",
            code="unsafe_folder",
            remedy=f"remove {folder}, or use a home with a shorter path",
        )


if sys.platform == "win32":

    def open_unix(home: Path, environ: Mapping[str, str]) -> tuple[socket.socket, Path]:
        """Not used there: :func:`open_tcp` is."""
        del home, environ
        raise NetworkError("unix sockets are not used on Windows", code="api_listen")

else:

    def open_unix(home: Path, environ: Mapping[str, str]) -> tuple[socket.socket, Path]:
        """A listening unix socket and its path. The caller holds the home's lock: a socket left there is nobody's.

        Raises:
            NetworkError: no place that is private and short enough takes a socket.
        """
        paths = socket_paths(
            home, runtime_dir=environ.get("XDG_RUNTIME_DIR"), temp_dir=tempfile.gettempdir(), uid=os.getuid()
        )
        reasons: list[str] = []
        for path in paths:
            try:
                if path.parent != home:
                    private_folder(path.parent)
                return _listen_unix(path), path
            except (OSError, NetworkError) as error:  # some file systems hold no sockets: try the next place
                reasons.append(f"{path}: {error}")
        raise NetworkError(
            "the local API found no place for its socket: " + "; ".join(reasons),
            code="api_listen",
            remedy="use a home on a local file system",
        )

    def _listen_unix(path: Path) -> socket.socket:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            path.chmod(0o600)  # before it listens, so nobody else has connected
            listener.listen(64)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        return listener
