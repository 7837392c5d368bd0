"""Which workspace a program speaks for: ``--workspace``, else ``ROOSYNC_WORKSPACE_ID``, else the repository's name.

A repository's name is that of the folder of its main working tree, or of a bare repository without ``.git``; all its
worktrees have the same. It is brought into Unicode's form NFC, because macOS may spell it otherwise than the others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Final

from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import parse_workspace

__all__ = ["find_workspace", "repository_name"]

_GIT_FILE_BYTES_MAX: Final = 4096
_GIT_FILE: Final = "gitdir:"


def find_workspace(option: str | None, environ: Mapping[str, str], folder: Path) -> str | None:
    """The workspace, or None outside any repository.

    Raises:
        UsageError: what was said is no workspace name, or the repository's is none.
    """
    said = option if option is not None else environ.get("ROOSYNC_WORKSPACE_ID") or None
    try:
        if said is not None:
            return parse_workspace(said)
        name = _name_in(folder)
        return None if name is None else parse_workspace(name)
    except MalformedError as error:
        raise UsageError(error.message, code=error.code, remedy="name one with --workspace") from error


def repository_name(folder: str, git_file: str | None) -> str:
    """The name of the repository whose working tree is ``folder``; empty at the root of a drive.

    Args:
        folder: absolute, with separators of either kind.
        git_file: the text of ``.git`` when that is a file (a worktree, a submodule), None when it is a directory.
            A worktree's says ``gitdir: <main>/.git/worktrees/<name>``, or from the folder on:
            ``gitdir: ../<main>/.git/worktrees/<name>`` (gitrepository-layout(5)).
    """
    own = PureWindowsPath(folder).parts  # knows both kinds of separator
    if git_file is None or not git_file.startswith(_GIT_FILE):
        return _name(own)
    store = _folded(own, git_file.removeprefix(_GIT_FILE).strip())
    if len(store) < 4 or store[-2] != "worktrees" or store[-4:-2] == (".git", "modules"):
        return _name(own)  # a submodule is a repository of its own, also one in a folder called worktrees
    return _store_name(store[:-2])


def _folded(folder: Sequence[str], target: str) -> tuple[str, ...]:
    """The parts of a path that may begin in a folder, without dots."""
    path = PureWindowsPath(target)
    parts: list[str] = []
    for part in path.parts if path.drive or path.root else (*folder, *path.parts):
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
    return tuple(parts)


def _store_name(store: Sequence[str]) -> str:
    """The name of the repository that git keeps there: in ``.git``, in another hidden folder, or bare."""
    hidden = store[-1].startswith(".")
    return _name(store[:-1]) if hidden else _spelled(store[-1].removesuffix(".git"))


def _name(folder: Sequence[str]) -> str:
    return _spelled(folder[-1]) if len(folder) > 1 else ""  # the first part is the drive or the root


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _name_in(folder: Path) -> str | None:
    for candidate in (folder, *folder.parents):
        try:
            name = _name_at(candidate)
        except OSError:  # what may not be looked at
            name = ""
        if name is not None:
            return name or None
    return None


def _name_at(folder: Path) -> str | None:
    """The name of the repository whose working tree or bare store is that folder; None if it is neither."""
    marker = folder / ".git"
    if marker.is_dir():
        return repository_name(str(folder), None)
    if marker.is_file():
        with marker.open(encoding="utf-8", errors="replace") as file:
            return repository_name(str(folder), file.read(_GIT_FILE_BYTES_MAX))
    if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
        return _store_name(PureWindowsPath(folder).parts)
    return None
