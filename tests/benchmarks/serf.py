"""Serf beside us: agents of the LAN profile on 127.0.0.1, and its RPC protocol, because its commands are slow to start.

https://github.com/hashicorp/serf (docs/agent/rpc.html.markdown): msgpack objects on a TCP connection, a header and,
with some answers, a body.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import msgpack

from tests.benchmarks.recorded import RecordedProgram
from tests.helpers.fleet import free_port

__all__ = ["SerfAgent", "SerfFleet", "SerfRpc", "serf_missing", "serf_version"]

JOINED_S: Final = 30.0

Wrap = Callable[[Sequence[str]], list[str]]


def serf_missing() -> str:
    """Why Serf cannot be measured here, or an empty string."""
    return "" if shutil.which("serf") else "serf is not installed (Debian: apt install serf)"


def serf_version() -> str:
    """As the program says it."""
    done = subprocess.run(["serf", "version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].removeprefix("Serf ").strip()


class SerfAgent:
    """One agent, which can be killed and started again under the same name and ports."""

    def __init__(self, name: str, home: Path, wrap: Wrap) -> None:
        self.name = name
        self.bind = f"127.0.0.1:{free_port()}"
        self.rpc = f"127.0.0.1:{free_port()}"
        self._home = home
        self._wrap = wrap
        self.program: RecordedProgram | None = None

    @property
    def running(self) -> RecordedProgram:
        """Its process; the caller started it."""
        assert self.program is not None
        return self.program

    def start(self, joins: Sequence[str]) -> None:
        """Starts it and waits until it is ready."""
        argv = ["serf", "agent", f"-node={self.name}", f"-bind={self.bind}", f"-rpc-addr={self.rpc}", "-profile=lan"]
        self.program = RecordedProgram(self._wrap([*argv, *(f"-join={address}" for address in joins)]), self._home)
        self.program.wait("agent: Serf agent starting", within_s=JOINED_S)


class SerfFleet:
    """``count`` agents that know each other; all are killed when the context is left."""

    def __init__(self, count: int, wrap: Wrap = list) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="rbserf"))
        self.agents = [SerfAgent(f"serf-{number}", self.path, wrap) for number in range(count)]

    def __enter__(self) -> Self:
        try:
            for number, agent in enumerate(self.agents):
                agent.start([self.agents[0].bind] if number else [])
            for agent in self.agents:
                for other in self.agents:
                    agent.running.wait("EventMemberJoin: " + other.name, within_s=JOINED_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self.agents:
            if agent.program is not None:
                agent.program.kill()
        shutil.rmtree(self.path, ignore_errors=True)

    def restart(self, agent: SerfAgent) -> None:
        """Starts a killed agent again and waits until the others say that it joined."""
        since_s = time.monotonic()
        agent.start([other.bind for other in self.agents if other is not agent])
        for other in self.agents:
            if other is not agent:
                other.running.wait("EventMemberJoin: " + agent.name, within_s=JOINED_S, since_s=since_s)


class SerfRpc:
    """One connection to an agent: sends user events, or records the moments at which they arrive."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._unpacker = msgpack.Unpacker(raw=True)
        self._sequence = 0
        self._arrived: dict[bytes, float] = {}
        self._changed = threading.Condition()
        self._ask(b"handshake", {b"Version": 1})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up; a listening thread ends."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send_event(self, name: str) -> None:
        """Broadcasts a user event; returns when the agent took it."""
        self._ask(b"event", {b"Name": name.encode(), b"Payload": b"", b"Coalesce": False})

    def listen(self) -> None:
        """From now on user events are recorded by a thread of their own."""
        self._ask(b"stream", {b"Type": b"user"})
        self._socket.settimeout(None)
        threading.Thread(target=self._record, daemon=True).start()

    def wait_event(self, name: str, within_s: float) -> float:
        """The moment a user event arrived.

        Raises:
            TimeoutError: it did not in time.
        """
        wanted = name.encode()
        with self._changed:
            if not self._changed.wait_for(lambda: wanted in self._arrived, within_s):
                raise TimeoutError(f"the user event {name} did not arrive within {within_s:g} s")
            return self._arrived[wanted]

    def _ask(self, command: bytes, body: dict[bytes, Any]) -> None:
        self._sequence += 1
        header = {b"Command": command, b"Seq": self._sequence}
        self._socket.sendall(_pack(header) + _pack(body))
        answer = self._read()
        assert not answer.get(b"Error"), answer

    def _read(self) -> dict[bytes, Any]:
        while True:
            for found in self._unpacker:
                assert isinstance(found, dict)
                return found
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the agent hung up")
            self._unpacker.feed(data)

    def _record(self) -> None:
        with contextlib.suppress(OSError, ConnectionError):
            while True:
                found = self._read()
                if b"Event" in found:
                    with self._changed:
                        self._arrived[found[b"Name"]] = time.monotonic()
                        self._changed.notify_all()


def _pack(value: dict[bytes, Any]) -> bytes:
    """In the format before msgpack had binary types: it is what Serf reads."""
    packed = msgpack.packb(value, use_bin_type=False)
    assert isinstance(packed, bytes)
    return packed
