"""The computer's own systemd-logind, on a bus of ours: it knows our lock, and waits for it before it shuts down.

Nothing can come of that shutdown. logind runs in namespaces for processes and mounts of its own, and what it tells to
shut down is a service of this test, which writes down when it was asked.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import anyio
import anyio.to_thread
import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("logind is Linux's", allow_module_level=True)

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from roosync_p2p.adapters.power import Notice
from roosync_p2p.adapters.power.logind import LogindPower
from tests.conformance.power_suite import LONG_S, Ears
from tests.helpers.fake_logind import dbus_missing, private_bus
from tests.helpers.fleet import until

_LOGIND: Final = Path("/lib/systemd/systemd-logind")
_MANAGER: Final = DBusAddress(
    "/org/freedesktop/login1", bus_name="org.freedesktop.login1", interface="org.freedesktop.login1.Manager"
)
_ALONE: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
_SCRIPT: Final = f"mount -t tmpfs none /run && mkdir -p /run/systemd /run/user && exec {_LOGIND}"


def _missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    if not _LOGIND.exists():
        return f"there is no {_LOGIND}"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode
    ):
        return "there are no namespaces for processes and mounts"
    return dbus_missing()


pytestmark = [pytest.mark.root, pytest.mark.anyio, pytest.mark.skipif(bool(_missing()), reason=_missing())]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Systemd:
    """What logind asks to start units."""

    def __init__(self, address: str) -> None:
        self.started: queue.Queue[tuple[str, float]] = queue.Queue()
        self._connection = open_dbus_connection(address)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.systemd1"))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(LONG_S)
        self._connection.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                called = self._connection.receive(timeout=0.05)
                if called.header.message_type is MessageType.method_call:
                    self._connection.send(self._answer(called))

    def _answer(self, called: Any) -> Any:
        match called.header.fields[HeaderFields.member], called.body:
            case "Get", (_, "LoadState"):
                return new_method_return(called, "v", (("s", "loaded"),))
            case "StartUnit", (unit, _):
                self.started.put((unit, time.monotonic()))
                return new_method_return(called, "o", ("/org/freedesktop/systemd1/job/1",))
        return new_error(called, "org.freedesktop.DBus.Error.UnknownMethod", "s", ("not here",))


@contextlib.contextmanager
def _logind(address: str) -> Iterator[DBusConnection]:
    """It runs and answers; a connection of its client."""
    environ = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address}
    with (
        subprocess.Popen([*_ALONE, "sh", "-c", _SCRIPT], env=environ, stderr=subprocess.DEVNULL) as logind,
        open_dbus_connection(address) as client,
    ):
        try:
            until(lambda: _is_up(client), LONG_S, what="logind is there")
            yield client
        finally:
            logind.kill()


def _is_up(client: DBusConnection) -> bool:
    return bool(client.send_and_get_reply(message_bus.NameHasOwner("org.freedesktop.login1")).body[0])


def _call(client: DBusConnection, method: str, signature: str | None = None, body: tuple[Any, ...] = ()) -> Any:
    return client.send_and_get_reply(new_method_call(_MANAGER, method, signature, body)).body


async def test_it_waits_for_us_before_it_shuts_down(tmp_path: Path) -> None:
    ears = Ears()
    with private_bus(tmp_path) as address, _Systemd(address) as systemd, _logind(address) as client:
        async with anyio.create_task_group() as tasks:
            await tasks.start(LogindPower(pytest.fail, address=address).run, ears.heard)
            ((lock,),) = _call(client, "ListInhibitors")
            assert (set(lock[0].split(":")), lock[1], lock[3]) == ({"sleep", "shutdown"}, "roosync", "delay")
            _call(client, "PowerOff", "b", (False,))
            notice, hold = await ears.next()
            assert notice is Notice.SHUTDOWN_SOON
            assert systemd.started.empty()
            released_s = time.monotonic()
            hold.release()
            unit, at_s = await anyio.to_thread.run_sync(lambda: systemd.started.get(timeout=LONG_S))
            assert unit == "poweroff.target"
            assert at_s >= released_s
            tasks.cancel_scope.cancel()
    ears.close()
