"""etcd beside us: three members on 127.0.0.1, asked through the HTTP gateway over connections that stay open.

https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/. The gateway turns each request into a gRPC call within the server
and costs some tenths of a millisecond; a Go client would not pay that, ``etcdctl`` would pay the start of a process.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from tests.benchmarks.commit_rows import VALUE_BYTES
from tests.benchmarks.recorded import RecordedProgram
from tests.helpers.fleet import free_port

__all__ = ["EtcdFleet", "etcd_missing", "etcd_version"]

_UP_S: Final = 60.0
_ANSWER_S: Final = 20.0
_POLL_S: Final = 0.01
_RETRY_S: Final = 0.02  # a write sent to a member that still follows the dead leader is lost: another follows so soon
_VALUE: Final = base64.b64encode(bytes(VALUE_BYTES)).decode()


def etcd_missing() -> str:
    """Why etcd cannot be measured here, or an empty string."""
    return "" if shutil.which("etcd") else "etcd is not installed (Debian: apt install etcd-server)"


def etcd_version() -> str:
    """As the program says it."""
    done = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].removeprefix("etcd Version:").strip()


class _Connection:
    """One connection to the gateway of a member; as little HTTP as its answers need."""

    def __init__(self, port: int, timeout_s: float = _ANSWER_S) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """Raises OSError when it is refused, or the member hangs up or does not answer."""
        self._socket.sendall(_request(path, question))
        received = b""
        while (needed := _missing_bytes(received)) != 0:
            data = self._socket.recv(max(needed, 4096))
            if not data:
                raise ConnectionError("the member hung up")
            received += data
        return _answer(received)

    def put(self) -> None:
        """One write."""
        self.ask("/v3/kv/put", _put())


class _Member:
    def __init__(self, number: int, home: Path) -> None:
        self.name = f"etcd-{number}"
        self.client, self.peer = free_port(), free_port()
        self._home = home
        self._program: RecordedProgram | None = None

    def start(self, cluster: str) -> None:
        client, peer = f"http://127.0.0.1:{self.client}", f"http://127.0.0.1:{self.peer}"
        argv = ["etcd", "--name", self.name, "--data-dir", str(self._home / self.name), "--log-level", "error"]
        argv += ["--listen-client-urls", client, "--advertise-client-urls", client]
        argv += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster]
        self._program = RecordedProgram([*argv, "--logger", "zap"], self._home)

    def kill(self) -> float:
        assert self._program is not None
        return self._program.kill()

    def close(self) -> None:
        if self._program is not None:
            self._program.kill()

    def status(self) -> dict[str, Any] | None:
        """What it says of itself; None if it does not answer."""
        with contextlib.suppress(OSError), _Connection(self.client) as connection:
            return connection.ask("/v3/maintenance/status", {})
        return None

    def until_current(self) -> float:
        """The moment at which it answers a linearizable read: with what the majority has."""
        deadline = time.monotonic() + _UP_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), _Connection(self.client) as connection:
                connection.ask("/v3/kv/range", {"key": _text(b"0")})
                return time.monotonic()
            time.sleep(_POLL_S)
        raise TimeoutError(f"{self.name} does not answer within {_UP_S:g} s")


class EtcdFleet:
    """Three members; see :class:`~tests.benchmarks.commit_rows.Committing`."""

    who = "etcd"
    note = "synced on a majority; neither signed nor encrypted; through its HTTP gateway"

    def __init__(self) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="rbetcd"))
        self._members = [_Member(number, self._path) for number in range(3)]
        self._cluster = ",".join(f"{one.name}=http://127.0.0.1:{one.peer}" for one in self._members)

    def __enter__(self) -> Self:
        try:
            for member in self._members:
                member.start(self._cluster)
            for member in self._members:
                member.until_current()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.close()
        shutil.rmtree(self._path, ignore_errors=True)

    def one_at_a_time(self, count: int, *, at_leader: bool) -> list[float]:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._leader()
        asked = leader if at_leader else self._others(leader)[0]
        took = []
        with _Connection(asked.client) as connection:
            for _ in range(count):
                began = time.monotonic()
                connection.put()
                took.append(time.monotonic() - began)
        return took

    def in_flight(self, count: int, at_once: int) -> list[tuple[float, float]]:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        return asyncio.run(_put_many(self._leader().client, count, at_once))

    def failover(self) -> float:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._leader()
        killed_s = leader.kill()
        taken_s = _first_put([member.client for member in self._others(leader)])
        leader.start(self._cluster)
        leader.until_current()
        return taken_s - killed_s

    def fill(self, count: int) -> None:
        """See :class:`~tests.benchmarks.commit_rows.Committing`: as many keys as commits."""
        self.in_flight(count, 64)

    def restart(self) -> float:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        member = self._others(self._leader())[0]
        member.kill()
        began = time.monotonic()
        member.start(self._cluster)
        return member.until_current() - began

    def _leader(self) -> _Member:
        deadline = time.monotonic() + _UP_S
        while time.monotonic() < deadline:
            for member in self._members:
                status = member.status()
                if status and status.get("leader") == status["header"]["member_id"]:
                    return member
            time.sleep(_POLL_S)
        raise TimeoutError(f"no leader within {_UP_S:g} s")

    def _others(self, leader: _Member) -> list[_Member]:
        return [member for member in self._members if member is not leader]


def _keys() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield f"key {number}".encode()


_KEYS: Final = _keys()


def _put() -> dict[str, Any]:
    return {"key": _text(next(_KEYS)), "value": _VALUE}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _request(path: str, question: dict[str, Any]) -> bytes:
    body = json.dumps(question).encode()
    return f"POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _missing_bytes(received: bytes) -> int:
    """How many bytes the answer still lacks, as far as is known."""
    head, mark, body = received.partition(b"\r\n\r\n")
    if not mark:
        return 1
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    if not lengths:
        raise ConnectionError(f"an answer without a length: {head[:200]!r}")
    return int(lengths[0].partition(b":")[2]) - len(body)


def _answer(received: bytes) -> dict[str, Any]:
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(f"refused: {body[:200]!r}")
    answer: dict[str, Any] = json.loads(body)
    return answer


async def _put_many(port: int, count: int, at_once: int) -> list[tuple[float, float]]:
    """Each worker has a connection of its own."""
    calls: list[tuple[float, float]] = []
    left = iter(range(count))

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            began = time.monotonic()
            writer.write(_request("/v3/kv/put", _put()))
            received = b""
            while (needed := _missing_bytes(received)) != 0:
                data = await reader.read(max(needed, 4096))
                if not data:
                    raise ConnectionError("the member hung up")
                received += data
            _answer(received)
            calls.append((began, time.monotonic()))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return calls


def _first_put(ports: list[int]) -> float:
    """The moment at which the first of many writes is answered, each begun a little after the one before."""
    done = threading.Event()
    moments: list[float] = []

    def put(port: int) -> None:
        with contextlib.suppress(OSError), _Connection(port, timeout_s=_UP_S) as connection:
            connection.put()
            moments.append(time.monotonic())
            done.set()

    deadline = time.monotonic() + _UP_S
    number = 0
    while not done.wait(_RETRY_S):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no write was taken within {_UP_S:g} s")
        threading.Thread(target=put, args=(ports[number % len(ports)],), daemon=True).start()
        number += 1
    return min(moments)
