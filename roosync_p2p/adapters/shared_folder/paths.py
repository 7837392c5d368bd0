"""From the folder's own paths to those of a platform; pure, so that each platform's rules are tried on all of them.

What the core names is legal everywhere already. Here is the last gate before a file is touched: nothing that comes in
by mistake or by malice leaves the directory, and long paths work on Windows.
"""

from __future__ import annotations

import re
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from roosync_p2p.errors import MalformedError

__all__ = ["is_safe", "local_path", "temporary_name"]

_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_WINDOWS_PATH_MAX: Final = 240  # MAX_PATH is 260, and a temporary name beside it is longer


def is_safe(name: str) -> bool:
    """Whether one name of a path is legal on every platform and stays where it is."""
    return (
        0 < len(name) <= 255
        and name not in (".", "..")
        and not name.endswith((".", " "))
        and not name.startswith(("~$", " "))
        and _FORBIDDEN.search(name) is None
        and _DEVICE.fullmatch(name) is None
        and name.isascii()
    )


def local_path(root: PurePath, path: str) -> str:
    r"""Where a file of the folder lies on this platform; ``\\?\`` before a long path of Windows.

    Raises:
        MalformedError: ``bad_path``: a name in it is not legal everywhere.
    """
    names = path.split("/")
    if not all(is_safe(name) for name in names):
        raise MalformedError(f"{path[:80]!r} is no path of the shared folder", code="bad_path")
    whole = root.joinpath(*names)
    if isinstance(whole, PureWindowsPath) and len(str(whole)) > _WINDOWS_PATH_MAX and whole.is_absolute():
        return _extended(whole)
    return str(whole)


def temporary_name(path: str, number: int) -> str:
    """A name in the writer's own part under which a file is made before it replaces another, as a folder path."""
    parts = PurePosixPath(path).parts
    return "/".join([*parts[:3], "tmp", f"{number}.part"]) if len(parts) > 3 else f"{path}.part"


def _extended(path: PureWindowsPath) -> str:
    text = str(path)
    if text.startswith("\\\\?\\"):
        return text
    return f"\\\\?\\UNC\\{text[2:]}" if text.startswith("\\\\") else f"\\\\?\\{text}"
