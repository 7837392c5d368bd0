"""Files that travel between machines by hand: requests and answers, in PEM. None of them is secret."""

from __future__ import annotations

import sys
from pathlib import Path

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import explained, write_private
from roosync_p2p.core.text import decode_text
from roosync_p2p.errors import UsageError

__all__ = ["STANDARD", "check_target", "read_document", "write_document"]

STANDARD = "-"  # standard input or output


def read_document(name: str) -> bytes:
    """A PEM file, or standard input for ``-``; UTF-16 as PowerShell 5 redirects it is understood.

    No more is read than one byte above what its parser refuses.

    Raises:
        EnvironmentFault: it cannot be read (``cannot_read``).
        UsageError: it is no text.
    """
    bound = 2 * limits.CERTIFICATE_PEM_BYTES_MAX + 2  # twice, for UTF-16
    if name == STANDARD:
        data = sys.stdin.buffer.read(bound)
    else:
        with explained(Path(name), "read"), Path(name).open("rb") as file:
            data = file.read(bound)
    return decode_text(data, what=name).encode()


def check_target(name: str | None) -> None:
    """Returns if a document could be put there; asked before anything is decided.

    Raises:
        UsageError: ``bad_output``: the directory is missing, or something other than a file is in its place.
    """
    if name is None or name == STANDARD:
        return
    path = Path(name)
    if not path.parent.is_dir() or (path.exists() and not path.is_file()):
        raise UsageError(
            f"{name} cannot be a file: nothing was changed", code="bad_output", remedy="name another --out"
        )


def write_document(name: str, data: bytes) -> None:
    """The file, whole or as it was before.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    write_private(Path(name).absolute(), data)
