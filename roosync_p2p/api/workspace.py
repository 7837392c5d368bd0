"""Which workspace a program speaks for: ``--workspace``, else ``ROOSYNC_WORKSPACE_ID``, else the repository's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import parse_workspace

__all__ = ["find_workspace", "repository_name"]

_GIT_FILE_BYTES_MAX = 4096


def find_workspace(option: str | None, environ: Mapping[str, str], folder: Path) -> str | None:
    """The workspace, or None outside any repository.

    Raises:
        UsageError: what was said is no workspace name.
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
    """The name of the repository whose working tree is ``folder``.

    Args:
        git_file: the text of ``.git`` when that is a file (a worktree, a submodule), None when it is a directory.
            A worktree's says ``gitdir: <main>/.git/worktrees/<name>``, with slashes of either kind.
    """
    own = PureWindowsPath(folder).name  # knows both kinds of separator
    if git_file is None or not git_file.startswith("gitdir:"):
        return own
    parts = PureWindowsPath(git_file.removeprefix("gitdir:").strip()).parts
    if len(parts) < 4 or parts[-2] != "worktrees":
        return own  # a submodule is a repository of its own
    store = parts[-3]
    return parts[-4] if store == ".git" else store.removesuffix(".git")


def _name_in(folder: Path) -> str | None:
    for candidate in (folder, *folder.parents):
        marker = candidate / ".git"
        if marker.is_dir():
            return repository_name(str(candidate), None) or None
        if marker.is_file():
            with marker.open(encoding="utf-8", errors="replace") as file:
                return repository_name(str(candidate), file.read(_GIT_FILE_BYTES_MAX)) or None
    return None
