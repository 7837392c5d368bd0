"""One node of a PySyncObj cluster, run by the Python of an environment that has it; asked over its standard input.

    python pysyncobj_node.py '{"address": "…", "partners": ["…"], "settings": {…}}'

Each line is a question in JSON and gets a line as answer. Moments are of the monotonic clock, which all programs of one
computer share. It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import pysyncobj  # type: ignore[import-not-found]  # only in the environment that runs this

__all__: list[str] = []

TAKEN_S = 30.0


class Log(pysyncobj.SyncObj):  # type: ignore[misc]
    """Keeps what was written, by key."""

    def __init__(self, address: str, partners: list[str], settings: dict[str, Any]) -> None:
        super().__init__(address, partners, conf=pysyncobj.SyncObjConf(**settings))
        self.kept: dict[int, bytes] = {}

    @pysyncobj.replicated  # type: ignore[untyped-decorator]
    def put(self, key: int, value: bytes) -> None:
        """One write."""
        self.kept[key] = value


class Node:
    """Asks its own log."""

    def __init__(self, log: Log, size: int) -> None:
        self._log = log
        self._value = bytes(size)
        self._number = 0

    def answer(self, question: dict[str, Any]) -> object:
        """By what is to be done."""
        match question:
            case {"do": "leader"}:
                leader = self._log._getLeader()
                return None if leader is None or not self._log.isReady() else leader.address
            case {"do": "put", "count": count, "at_once": at_once}:
                return self.put(count, at_once)
            case {"do": "until"}:
                return self.until_taken()
            case _:
                raise ValueError(question)

    def put(self, count: int, at_once: int) -> list[tuple[float, float]]:
        """So many writes, so many under way; the moments of call and answer."""
        free = threading.Semaphore(at_once)
        calls: list[tuple[float, float]] = []
        failed: list[object] = []

        def begin() -> None:
            began = time.monotonic()

            def taken(_result: object, error: object) -> None:
                if error:
                    failed.append(error)
                else:
                    calls.append((began, time.monotonic()))
                free.release()

            self._number += 1
            self._log.put(self._number, self._value, callback=taken)

        for _ in range(count):
            free.acquire()
            begin()
        for _ in range(at_once):
            free.acquire()
        if failed:
            raise RuntimeError(f"{len(failed)} writes failed: {failed[0]}")
        return calls

    def until_taken(self) -> float:
        """The moment at which the first of many writes is answered, each begun a little after the one before."""
        done = threading.Event()
        moments: list[float] = []

        def taken(_result: object, error: object) -> None:
            if not error:
                moments.append(time.monotonic())
                done.set()

        while not done.wait(0.02):
            self._number += 1
            self._log.put(self._number, self._value, callback=taken)
        return moments[0]


def main() -> None:
    """Until its input ends."""
    wanted = json.loads(sys.argv[1])
    node = Node(Log(wanted["address"], wanted["partners"], wanted["settings"]), wanted["size"])
    for line in sys.stdin:
        sys.stdout.write(json.dumps(node.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
