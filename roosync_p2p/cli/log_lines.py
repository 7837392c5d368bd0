"""The node's log for people: its newest lines across rotated files, and what is added to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

__all__ = ["follow_log", "last_lines", "shown_line"]

_NAME: Final = "node.jsonl"
_POLL_S: Final = 0.3
_BLOCK_BYTES: Final = 64 * 1024


def last_lines(folder: Path, count: int) -> list[str]:
    """The newest lines, oldest first; fewer if there are no more."""
    found: list[str] = []
    for file in _files(folder):
        found = _tail(file, count - len(found)) + found
        if len(found) >= count:
            break
    return found


def shown_line(line: str) -> str:
    """One line of the log as people read it; what is no such line stays as it is."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    if not isinstance(said, dict) or "message" not in said:
        return line
    return f"{said.get('time', '')}  {said.get('level', ''):<7}  {said['message']}"


def follow_log(folder: Path, show: Callable[[str], None]) -> None:
    """Shows what is written from now on, for ever, also where a new file takes the place of a full one.

    The file is not kept open: on Windows the node could not rename it then.
    """
    file = folder / _NAME
    known, offset = _size(file)
    rest = b""
    while True:
        now, size = _size(file)
        if now != known:
            if known:  # what the full one got at its end
                _show_from(folder / f"{_NAME}.1", offset, rest, show)
            known, offset, rest = now, 0, b""
        if size > offset:
            read, rest = _show_from(file, offset, rest, show)
            offset += read
        time.sleep(_POLL_S)


def _files(folder: Path) -> Iterator[Path]:
    """Newest first."""
    yield folder / _NAME
    number = 1
    while (file := folder / f"{_NAME}.{number}").exists():
        yield file
        number += 1


def _tail(file: Path, count: int) -> list[str]:
    stream = _opened(file)
    if stream is None:
        return []
    with stream:
        end, data = stream.seek(0, 2), b""
        while end > 0 and data.count(b"\n") <= count:
            begin = max(0, end - _BLOCK_BYTES)
            stream.seek(begin)
            data, end = stream.read(end - begin) + data, begin
    lines = data.decode(errors="replace").splitlines()
    return lines[-count:]


def _opened(file: Path) -> IO[bytes] | None:
    try:
        return file.open("rb")
    except FileNotFoundError:
        return None


def _size(file: Path) -> tuple[int, int]:
    """Which file it is, and how long; zeros if it is not there."""
    try:
        said = file.stat()
    except FileNotFoundError:
        return 0, 0
    return said.st_ino, said.st_size


def _show_from(file: Path, offset: int, rest: bytes, show: Callable[[str], None]) -> tuple[int, bytes]:
    """Shows the whole lines behind a place; how many bytes that were, and the beginning of the next line."""
    stream = _opened(file)
    if stream is None:
        return 0, rest
    with stream:
        stream.seek(offset)
        data = stream.read()
    *lines, rest = (rest + data).split(b"\n")
    for line in lines:
        show(line.decode(errors="replace"))
    return len(data), rest
