"""This computer: its clocks, its randomness, its name, and who holds a port."""

from __future__ import annotations

import dataclasses
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from roosync_p2p.clock import Now
from roosync_p2p.entropy import Entropy

__all__ = [
    "PortHolder",
    "find_holder_command",
    "host_name",
    "listening_inodes",
    "port_holder",
    "read_now",
    "seed_entropy",
]

_TCP_LISTEN = "0A"  # include/net/tcp_states.h


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PortHolder:
    """A program that listens on a port."""

    pid: int
    program: str

    def __str__(self) -> str:
        return f"{self.program} (pid {self.pid})"


def read_now() -> Now:
    """Both clocks, read together."""
    return Now(monotonic_s=time.monotonic(), wall_ms=time.time_ns() // 1_000_000)


def seed_entropy() -> Entropy:
    """A generator for the core, seeded by the operating system. Not for keys."""
    return Entropy(secrets.token_bytes(32))


def host_name() -> str:
    """The computer's own name, without its domain."""
    return socket.gethostname().partition(".")[0]


def port_holder(port: int, *, platform: str = sys.platform, proc: Path = Path("/proc")) -> PortHolder | None:
    """Who listens on a TCP port, None if that cannot be found out. Blocks: run it in a worker thread.

    On Linux it is found for one's own processes, and for everybody's by root. Elsewhere
    :func:`find_holder_command` tells the user how.
    """
    if not platform.startswith("linux"):
        return None
    inodes = {inode for table in ("net/tcp", "net/tcp6") for inode in listening_inodes(_read_text(proc / table), port)}
    return next(_owners(inodes, proc), None) if inodes else None


def find_holder_command(platform: str, port: int) -> str:
    """The command with which a user finds out who holds a port."""
    if platform == "win32":
        return f"Get-Process -Id (Get-NetTCPConnection -State Listen -LocalPort {port}).OwningProcess"
    if platform == "darwin":
        return f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
    return f"ss -ltnp 'sport = :{port}'"


def listening_inodes(table: str, port: int) -> frozenset[str]:
    """The socket inodes that listen on the port, from the text of ``/proc/net/tcp`` or ``tcp6``."""
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _TCP_LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.add(fields[9])
    return frozenset(found)


def _owners(inodes: set[str], proc: Path) -> Iterator[PortHolder]:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.iterdir():
        if process.name.isdecimal() and wanted & set(_open_files(process)):
            yield PortHolder(pid=int(process.name), program=_read_text(process / "comm").strip() or "unknown program")


def _open_files(process: Path) -> Iterator[str]:
    try:
        for descriptor in (process / "fd").iterdir():
            yield str(descriptor.readlink())
    except OSError:
        return  # another user's process, or one that ended while we looked


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
