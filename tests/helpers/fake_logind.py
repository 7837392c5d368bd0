"""A message bus of our own, and on it a service that behaves like logind: delay locks, and signals before it acts.

The service speaks through jeepney's blocking connection, not through ours. Debian: ``apt install dbus-daemon``.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

__all__ = ["FakeLogind", "dbus_missing", "private_bus"]

_NAME: Final = "org.freedesktop.login1"
_MANAGER: Final = DBusAddress("/org/freedesktop/login1", bus_name=_NAME, interface=f"{_NAME}.Manager")
_WAIT_S: Final = 30.0
_CONFIGURATION: Final = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""


def dbus_missing() -> str:
    """Why there can be no bus here, or an empty string."""
    return "" if shutil.which("dbus-daemon") else "dbus-daemon is not installed (Debian: apt install dbus-daemon)"


@contextlib.contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """A bus in that folder, which the computer's own knows nothing of; its address."""
    socket = folder / "bus"
    configuration = folder / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=socket))
    argv = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            daemon.stdout.readline()  # it listens
            yield f"unix:path={socket}"
        finally:
            daemon.kill()


class FakeLogind:
    """The service, answering in a thread of its own. Use it as a context.

    Attributes:
        refuses: it gives no lock.
    """

    def __init__(self, address: str, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self._connection: DBusConnection = open_dbus_connection(address, enable_fds=True)
        self._locks: list[int] = []
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._connection.send_and_get_reply(message_bus.RequestName(_NAME))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join(_WAIT_S)
        self._connection.close()
        for lock in self._locks:
            os.close(lock)

    def emit(self, member: str, body: tuple[Any, ...] = (True,), *, to: str | None = None) -> None:
        """Sends a signal."""
        self._connection.send(signal(member, body, to=to))

    def is_held(self) -> bool:
        """Whether somebody has a lock."""
        with self._changed:
            for lock in list(self._locks):
                if any(event & select.POLLHUP for _, event in _poll(lock)):
                    self._locks.remove(lock)
                    os.close(lock)
            return bool(self._locks)

    def until(self, *, held: bool) -> None:
        """Waits for somebody to take or to give back a lock."""
        deadline = time.monotonic() + _WAIT_S
        while self.is_held() is not held:
            with self._changed:
                assert time.monotonic() < deadline, f"{'not' if held else 'still'} held"
                self._changed.wait(0.01)

    def _serve(self) -> None:
        while not self._over:
            try:
                called = self._connection.receive(timeout=0.05)
            except TimeoutError:
                continue
            if called.header.message_type is MessageType.method_call:
                self._answer(called)

    def _answer(self, called: Any) -> None:
        assert called.header.fields[HeaderFields.member] == "Inhibit", called.header.fields
        what, who, _why, mode = called.body
        assert (set(what.split(":")), who, mode) == ({"sleep", "shutdown"}, "roosync", "delay")
        if self.refuses:
            self._connection.send(new_error(called, "org.freedesktop.DBus.Error.AccessDenied", "s", ("no",)))
            return
        ours, theirs = os.pipe()
        with open(theirs, "wb", buffering=0) as given:  # noqa: PTH123 - a descriptor, not a path
            self._connection.send(new_method_return(called, "h", (given,)))
        with self._changed:
            self._locks.append(ours)
            self._changed.notify_all()


def signal(member: str, body: tuple[Any, ...] = (True,), *, to: str | None = None) -> Any:
    """A signal in logind's name; everybody on the bus can send it."""
    made = new_signal(_MANAGER, member, "b", body)
    if to is not None:
        made.header.fields[HeaderFields.destination] = to
    return made


def _poll(descriptor: int) -> list[tuple[int, int]]:
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)
    return poll.poll(0)
