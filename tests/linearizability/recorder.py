"""Writes down what clients do while they do it, one JSON line for each call and each return.

The line of a call is with the operating system before the request is sent, so a load that is killed leaves operations
without an answer and never answers without an operation. Safe for threads and tasks; each program writes its own file.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.linearizability.history import Model, Operation

__all__ = ["Call", "Recorder", "read_history"]


class _Called(msgspec.Struct, kw_only=True, tag_field="line", tag="call"):
    number: int
    at_s: float
    process: str
    key: str
    request: Any


class _Returned(msgspec.Struct, kw_only=True, tag_field="line", tag="return", omit_defaults=True):
    number: int
    at_s: float
    answer: Any = None
    void: bool = False


class Call:
    """One operation under way. Its moment of return is that of the first call of a method here."""

    def __init__(self, returned: Callable[..., None]) -> None:
        self._returned = returned
        self._over = threading.Lock()

    def answered(self, answer: Any) -> None:
        """This is what it was told."""
        self._return_once(answer=answer)

    def void(self) -> None:
        """It certainly had no effect and never will; a timeout is not that."""
        self._return_once(void=True)

    def _return_once(self, **what: Any) -> None:
        assert self._over.acquire(blocking=False), "an operation returns once"
        self._returned(**what)


class Recorder:
    """One file of operations.

    Args:
        path: not there yet.
        clock: the same for all programs whose histories are put together.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = path.open("xb", buffering=0)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._writing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """What has not returned yet stays without an answer."""
        with self._writing:
            self._file.close()

    @contextlib.contextmanager
    def operation(self, process: str, key: str, request: Any) -> Iterator[Call]:
        """Around everything that may send the request. Exceptions pass; the operation is then without an answer.

        Raises:
            ValueError: the recorder is closed; what was asked now would be an effect without a cause.
        """
        with self._writing:
            number = next(self._numbers)
        self._write(_Called(number=number, at_s=self._clock(), process=process, key=key, request=request))

        def returned(*, answer: Any = None, void: bool = False) -> None:
            at_s = self._clock()
            with contextlib.suppress(ValueError):  # closed: it came after the end of the load, and does not count
                self._write(_Returned(number=number, at_s=at_s, answer=answer, void=void))

        yield Call(returned)

    def _write(self, line: _Called | _Returned) -> None:
        data = msgspec.json.encode(line) + b"\n"
        with self._writing:
            self._file.write(data)


def read_history(paths: Iterable[Path], model: Model) -> list[Operation]:
    """The operations in these files, without the void ones. A last line that was cut off is left out."""
    return [operation for path in paths for operation in _read(path, model)]


def _read(path: Path, model: Model) -> Iterator[Operation]:
    called: dict[int, _Called] = {}
    returned: dict[int, _Returned] = {}
    for data in path.read_bytes().split(b"\n")[:-1]:
        line = msgspec.json.decode(data, type=_Called | _Returned)
        if isinstance(line, _Called):
            called[line.number] = line
        else:
            returned[line.number] = line
    for number, asked in called.items():
        ended = returned.get(number)
        if ended is not None and ended.void:
            continue
        yield Operation(
            process=asked.process,
            key=asked.key,
            request=msgspec.convert(asked.request, model.requests),
            answer=None if ended is None else msgspec.convert(ended.answer, model.answers),
            call_s=asked.at_s,
            return_s=math.inf if ended is None else ended.at_s,
        )
