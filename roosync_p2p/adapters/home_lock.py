"""One node a home: a lock that the operating system holds for the life of the process (docs/protocol/store.md §2).

The system lets go of it however the process ends, so a lock is never stale, and no pid is ever guessed at: the note
in the file is for people. The locked byte lies far behind the note, because Windows refuses to read locked bytes.
The file stays when the lock is released; removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from roosync_p2p.adapters.permissions import explained
from roosync_p2p.errors import EnvironmentFault

__all__ = ["Holder", "HomeLock", "read_holder"]

_LOCKED_OFFSET: Final = 1 << 30
_NOTE_BYTES_MAX: Final = 1024
_TRIES: Final = 6  # somebody who looks whether the lock is held, holds it for an instant
_TRY_AGAIN_S: Final = 0.02
_HELD_ERRNOS: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who wrote the note: for people, and for signals to a holder that is known to hold."""

    pid: int
    program: str
    started: str  # RFC 3339


class HomeLock:
    """The exclusive lock on one home; use it in ``with``, or call ``release``.

    Made by :meth:`acquire`. The process that holds it must not fork and go on in the child.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """For :meth:`acquire`."""
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path, *, program: str, started: str) -> HomeLock:
        """Locks within a tenth of a second, or not at all.

        Args:
            path: the lock file, ``Home.lock_file``; made if it is missing, in an existing directory.
            program: what runs, as a person knows it: ``roosync up``.
            started: when, in RFC 3339.

        Raises:
            EnvironmentFault: another process holds it (``home_in_use``, with its pid where it could be read), or the
                file cannot be made or locked (``cannot_lock``).
        """
        with explained(path, "lock"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        locked = False
        try:
            with explained(path, "lock"):
                if not any(_locked_at(descriptor, attempt) for attempt in range(_TRIES)):
                    raise _in_use(path, _read_note(descriptor))
                locked = True
                _write_note(descriptor, Holder(pid=os.getpid(), program=program, started=started))
        except BaseException:
            if locked:
                _unlock(descriptor)
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def release(self) -> None:
        """Lets others in; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            with explained(self._path, "unlock"):
                os.ftruncate(descriptor, 0)
                _unlock(descriptor)
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def read_holder(path: Path) -> Holder | None:
    """Who holds the lock now; None if nobody does, or if the note is not written yet.

    It asks the lock itself, for a moment: a note left by a killed process means nothing.

    Raises:
        EnvironmentFault: the file is there and cannot be looked at (``cannot_lock``).
    """
    with explained(path, "lock"):
        try:
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        try:
            if _locked(descriptor):
                _unlock(descriptor)
                return None
            return _read_note(descriptor)
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Locks; False if somebody else has it."""
    try:
        _try_lock(descriptor)
    except OSError as error:
        if error.errno in _HELD_ERRNOS:
            return False
        raise
    return True


def _locked_at(descriptor: int, attempt: int) -> bool:
    if attempt:
        time.sleep(_TRY_AGAIN_S)
    return _locked(descriptor)


def _write_note(descriptor: int, holder: Holder) -> None:
    note = json.dumps(dataclasses.asdict(holder)).encode()
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, note)


def _read_note(descriptor: int) -> Holder | None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        note = json.loads(os.read(descriptor, _NOTE_BYTES_MAX))
        return Holder(pid=int(note["pid"]), program=str(note["program"]), started=str(note["started"]))
    except (ValueError, KeyError, TypeError):  # the holder has locked and is about to write
        return None


def _in_use(path: Path, holder: Holder | None) -> EnvironmentFault:
    who = f"process {holder.pid} ({holder.program}, since {holder.started})" if holder else "another process"
    return EnvironmentFault(
        f"{who} runs on the home {path.parent}; this one changed nothing",
        code="home_in_use",
        remedy="stop it with `roosync down`, or choose another home with --home",
        details={"home": str(path.parent), **({"pid": holder.pid, "program": holder.program} if holder else {})},
    )
