"""Where a node's API listens, and how a client finds it: ``api.json`` in the home (docs/protocol/api.md §1).

The file holds the token, so it is owner-only, and it is replaced atomically, so a reader sees all of it or none. It
says where a node *was*; whether one is there is known after connecting. This module is imported by every command:
standard library only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from roosync_p2p.api.processes import process_alive
from roosync_p2p.errors import EnvironmentFault, NotRunningError, UsageError

__all__ = [
    "Endpoint",
    "find_endpoint",
    "not_running",
    "read_endpoint",
    "remove_endpoint",
    "write_endpoint",
]

_FILE = "api.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place where an API answers: a unix socket, or host and port. ``pid`` is None when not on this system."""

    token: str = dataclasses.field(repr=False)
    socket: str | None = None
    host: str | None = None
    port: int | None = None
    pid: int | None = None

    def describe(self) -> str:
        """The place for a message to a person, without the token."""
        return self.socket if self.socket is not None else f"{self.host}:{self.port}"


def find_endpoint(home: Path, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint that ``ROOSYNC_API`` and ``ROOSYNC_TOKEN_FILE`` name, else the one in the home's ``api.json``.

    Raises:
        NotRunningError: no node has left its address there, or the one that did is dead.
        UsageError: the variables are malformed.
    """
    address = environ.get("ROOSYNC_API")
    if address:
        return _from_environment(address, environ.get("ROOSYNC_TOKEN_FILE"))
    endpoint = read_endpoint(home)
    if endpoint.pid is not None and not process_alive(endpoint.pid):
        raise not_running(home, f"its last process {endpoint.pid} is gone")
    return endpoint


def not_running(home: Path | None, why: str) -> NotRunningError:
    """The error of every command that needs a node and finds none."""
    where = f" at {home}" if home is not None else ""
    return NotRunningError(f"no node is running{where}: {why}", remedy="start it with `roosync up`")


def read_endpoint(home: Path) -> Endpoint:
    """What ``api.json`` says.

    Raises:
        NotRunningError: there is none, or none that can be read.
    """
    try:
        data = json.loads((home / _FILE).read_text(encoding="utf-8"))
        return Endpoint(
            token=str(data["token"]),
            socket=None if data.get("socket") is None else str(data["socket"]),
            host=None if data.get("host") is None else str(data["host"]),
            port=None if data.get("port") is None else int(data["port"]),
            pid=int(data["pid"]),
        )
    except FileNotFoundError as error:
        raise not_running(home, "there is no api.json") from error
    except PermissionError as error:
        raise not_running(home, "its api.json belongs to somebody else") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_running(home, f"its api.json cannot be read ({error})") from error


def write_endpoint(home: Path, endpoint: Endpoint) -> None:
    """Puts ``api.json`` into the home, owner-only and whole.

    The caller holds the home's lock. On Windows the home is in the user's own application data, whose access list
    the file inherits.

    Raises:
        EnvironmentFault: it cannot be written (``disk_full``, ``cannot_write``); the file is as it was.
    """
    data = json.dumps({"version": 1, **dataclasses.asdict(endpoint)}, indent=1).encode()
    draft = home / f".api-{os.getpid()}.tmp"
    draft.unlink(missing_ok=True)  # of a process of this number that died here; the home's lock says that it is dead
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - its mode
            file.write(data)
        draft.replace(home / _FILE)
    except OSError as error:
        draft.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise EnvironmentFault(
            f"cannot write {home / _FILE}, with which local programs find this node: {error.strerror or error}",
            code="disk_full" if full else "cannot_write",
            remedy="free some space and try again" if full else "let the user who runs the node write into its home",
            details={"path": str(home / _FILE)},
        ) from error


def remove_endpoint(home: Path, endpoint: Endpoint) -> None:
    """Takes ``api.json`` away, unless another node has written its own since."""
    with contextlib.suppress(NotRunningError, OSError):
        if read_endpoint(home) == endpoint:
            (home / _FILE).unlink(missing_ok=True)


def _from_environment(address: str, token_file: str | None) -> Endpoint:
    if not token_file:
        raise UsageError("ROOSYNC_API is set without ROOSYNC_TOKEN_FILE", remedy="set both, or neither")
    token = _read_token(Path(token_file))
    if address.startswith("unix:"):
        return Endpoint(token=token, socket="/" + address.removeprefix("unix:").lstrip("/"))
    with contextlib.suppress(ValueError):  # a port that is none: refused below like everything else
        parts = urlsplit(address)
        if parts.scheme == "http" and parts.hostname and parts.port:
            return Endpoint(token=token, host=parts.hostname, port=parts.port)
    raise UsageError("ROOSYNC_API is neither unix:/PATH nor http://HOST:PORT", details={"value": address[:200]})


def _read_token(path: Path) -> str:
    """The token alone, or an ``api.json``."""
    try:
        text = path.read_text(encoding="utf-8").strip()
        token = str(json.loads(text)["token"]) if text.startswith("{") else text
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"ROOSYNC_TOKEN_FILE {path} cannot be read: {error}", code="bad_token_file") from error
    if not token or not token.isascii() or not token.isprintable():
        raise UsageError(f"ROOSYNC_TOKEN_FILE {path} holds no token", code="bad_token_file")
    return token
