"""Attachments between a client and its node, and in files: never over another one, never under a name that harms."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from roosync_p2p import limits
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import EnvironmentFault, InputFault, RoosyncError, UsageError

__all__ = ["hand_over", "save_attachment"]

Progress = Callable[[int], None]
"""Called with how many bytes of a file are done."""


def hand_over(
    client: SyncClient, path: Path, progress: Progress = lambda _done: None, *, private: bool = False
) -> dict[str, Any]:
    """Gives a file to the node, for :meth:`~roosync_p2p.api.methods.Methods.send`: ``{"name", "sha256", "size"}``.

    ``private``: for a sealed message.

    Raises:
        UsageError: ``no_such_file``, or ``too_large``; nothing was sent.
        RoosyncError: what the node says.
    """
    from roosync_p2p.mailbox.attachments import safe_name  # noqa: PLC0415 - costs start-up time

    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.BLOB_BYTES_MAX:
                raise UsageError(
                    f"{path} has {size} bytes, and an attachment at most {limits.BLOB_BYTES_MAX}; nothing was sent",
                    code="too_large",
                    remedy="put the file where its readers reach it, and send its address",
                )
            return {"name": safe_name(path.name), **client.upload(file, size, progress, private=private)}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", code="no_such_file") from error


def save_attachment(
    client: SyncClient,
    message_id: str,
    number: int,
    name: str,
    directory: Path,
    progress: Progress = lambda _done: None,
) -> Path:
    """Writes an attachment into a directory, which is there; where it is now. Nothing there is replaced.

    Raises:
        EnvironmentFault: it cannot be written (``cannot_write``); no part of it is left.
        RoosyncError: what the node says.
    """
    try:
        target, file = _created(directory, name)
    except OSError as error:
        raise _unwritten(directory, error) from error
    done = False
    try:
        with file:
            client.download(message_id, number, file, progress)
        done = True
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        if not done:
            with contextlib.suppress(OSError):
                target.unlink()
    return target


def _created(directory: Path, name: str) -> tuple[Path, BinaryIO]:
    from roosync_p2p.mailbox.attachments import free_name  # noqa: PLC0415 - costs start-up time

    taken = [entry.name for entry in directory.iterdir()]
    while True:
        target = directory / free_name(name, taken)
        try:
            return target, target.open("xb")
        except FileExistsError:  # somebody else took the name just now
            taken.append(target.name)


def _unwritten(place: Path, error: OSError) -> RoosyncError:
    if isinstance(error, NotADirectoryError | FileNotFoundError):
        return InputFault(f"{place} is no directory", code="no_such_directory", remedy="make it, or name another one")
    return EnvironmentFault(f"cannot write {place}: {error.strerror or error}", code="cannot_write")
