"""The events of a running node, with the moments at which they were received."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping
from typing import Final, Self

from roosync_p2p.api.events import Event
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import RoosyncError

__all__ = ["Recorder", "Seen"]

SUBSCRIBED_S: Final = 30.0  # a node answers at once; the machine may be busy


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """An event with the moment it was received at, on this process's monotonic clock."""

    at_s: float
    event: Event


class Recorder:
    """The event stream of one node, read by a thread until the node stops or :meth:`close` is called."""

    def __init__(self, client: SyncClient, name: str) -> None:
        self.name = name
        self._client = client
        self._seen: list[Seen] = []
        self._changed = threading.Condition()
        self._closed = False
        self.ended = False
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"events of {name}", daemon=True)
        self._thread.start()
        assert self._subscribed.wait(SUBSCRIBED_S), f"{name} gives no event stream"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops recording; what was seen stays readable. The thread ends with its node at the latest."""
        self._closed = True

    def all(self, kind: str | None = None, **data: object) -> list[Seen]:
        """What was seen so far, of one type, with these facts."""
        with self._changed:
            return [seen for seen in self._seen if _fits(seen.event, kind, data)]

    def verdicts(self, machine: str) -> list[tuple[float, str, str]]:
        """(when, state, reason) of each change of the verdict about a machine."""
        return [
            (seen.at_s, str(seen.event.data["state"]), str(seen.event.data["reason"]))
            for seen in self.all("verdict", machine=machine)
        ]

    def wait(self, kind: str, *, within_s: float, since_s: float = 0.0, **data: object) -> Seen:
        """The first such event received at ``since_s`` or later; waits for it."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while True:
                for seen in self._seen:
                    if seen.at_s >= since_s and _fits(seen.event, kind, data):
                        return seen
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    shown = "\n".join(f"{s.at_s - since_s:9.3f} {s.event.type} {s.event.data}" for s in self._seen)
                    raise AssertionError(f"{self.name}: no {kind} {data} within {within_s:g} s; seen:\n{shown}")

    def _read(self) -> None:
        with contextlib.suppress(RoosyncError), self._client.events() as events:
            self._subscribed.set()
            for event in events:
                at_s = time.monotonic()
                if self._closed:
                    break
                with self._changed:
                    self._seen.append(Seen(at_s, event))
                    self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()


def _fits(event: Event, kind: str | None, data: Mapping[str, object]) -> bool:
    return kind in (None, event.type) and all(event.data.get(name) == value for name, value in data.items())
