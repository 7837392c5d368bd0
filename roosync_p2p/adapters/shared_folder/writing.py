"""What the system says of writing into a directory, asked without writing anything (docs/protocol/folder.md §6).

The platforms are asked in one function each; what their answers mean is pure, and tried for all of them everywhere. A
system that says nothing, and file systems of programs that know no sizes, prove nothing: silence is no fault.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path

__all__ = ["Said", "ask", "fault_code"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a system says of one directory.

    Attributes:
        read_only: the mount may not be written.
        permitted: this user may make files there.
        total: blocks or bytes that the file system has; 0 where it does not know.
        free: those that this user may still fill.
        files_total: files that it can hold; 0 where it has no such bound, or does not know.
        files_free: those that this user may still make.
    """

    read_only: bool = False
    permitted: bool = True
    total: int = 0
    free: int = 0
    files_total: int = 0
    files_free: int = 0


def fault_code(said: Said) -> str | None:
    """The word of the port for it: ``folder_read_only``, ``folder_full``; None if nothing speaks against writing."""
    if said.read_only or not said.permitted:
        return "folder_read_only"
    if said.total > 0 and said.free == 0:
        return "folder_full"
    if said.files_total > 0 and said.files_free == 0:  # btrfs and FAT have no table of files
        return "folder_full"
    return None


if sys.platform == "win32":

    def ask(place: Path) -> Said:
        """Asks Windows, whose free bytes are those of this user's quota. Access lists are not asked: writing tells.

        Raises:
            OSError: it says nothing.
        """
        usage = shutil.disk_usage(place)
        return Said(total=usage.total, free=usage.free)

else:

    def ask(place: Path) -> Said:
        """Asks Linux or macOS; the superuser may also fill what is reserved.

        Raises:
            OSError: it says nothing.
        """
        shown = os.statvfs(place)
        superuser = os.geteuid() == 0
        return Said(
            read_only=bool(shown.f_flag & os.ST_RDONLY),
            permitted=os.access(place, os.W_OK | os.X_OK),
            total=shown.f_blocks,
            free=shown.f_bfree if superuser else shown.f_bavail,
            files_total=shown.f_files,
            files_free=shown.f_ffree if superuser else shown.f_favail,
        )
