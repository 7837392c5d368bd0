"""The notification service of a desktop, on a message bus of our own; see ``fake_logind`` for the bus."""

from __future__ import annotations

import threading
from typing import Any, Final, Self

from jeepney import HeaderFields, MessageType, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

__all__ = ["FakeNotifications"]

_NAME: Final = "org.freedesktop.Notifications"
_WAIT_S: Final = 30.0


class FakeNotifications:
    """Keeps what it was asked to show: application, title, text. Use it as a context."""

    def __init__(self, address: str) -> None:
        self.shown: list[tuple[str, str, str]] = []
        self._connection: DBusConnection = open_dbus_connection(address)
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

    def _serve(self) -> None:
        while not self._over:
            try:
                called = self._connection.receive(timeout=0.05)
            except TimeoutError:
                continue
            if called.header.message_type is MessageType.method_call:
                self._answer(called)

    def _answer(self, called: Any) -> None:
        assert called.header.fields[HeaderFields.member] == "Notify", called.header.fields
        application, _replaces, _icon, title, text, *_ = called.body
        self.shown.append((application, title, text))
        self._connection.send(new_method_return(called, "u", (1,)))
