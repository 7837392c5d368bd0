"""Which workspace a command speaks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from roosync_p2p.api.workspace import find_workspace, repository_name
from roosync_p2p.errors import UsageError


@pytest.mark.parametrize(
    ("folder", "git_file", "name"),
    [
        ("/home/a/roosync", None, "roosync"),
        (r"C:\dev\roo-extensions", None, "roo-extensions"),
        ("/w/feature", "gitdir: /home/a/roosync/.git/worktrees/feature\n", "roosync"),
        (r"D:\w\feature", "gitdir: D:/dev/roosync/.git/worktrees/feature", "roosync"),
        ("/w/feature", r"gitdir: C:\dev\roosync\.git\worktrees\feature", "roosync"),
        ("/w/feature", "gitdir: ../roosync/.git/worktrees/feature", "roosync"),
        ("/w/feature", "gitdir: /srv/roosync.git/worktrees/feature", "roosync"),
        ("/home/a/roosync/sub", "gitdir: ../.git/modules/sub", "sub"),
        ("/home/a/odd", "not a git file", "odd"),
        ("/home/a/odd", "gitdir: ", "odd"),
    ],
)
def test_a_worktree_counts_as_its_main_repository(folder: str, git_file: str | None, name: str) -> None:
    assert repository_name(folder, git_file) == name


def test_the_option_wins_then_the_environment_then_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "projet" / "src"
    inner.mkdir(parents=True)
    (tmp_path / "projet" / ".git").mkdir()
    assert find_workspace("mine", {"ROOSYNC_WORKSPACE_ID": "env"}, inner) == "mine"
    assert find_workspace(None, {"ROOSYNC_WORKSPACE_ID": "env"}, inner) == "env"
    assert find_workspace(None, {"ROOSYNC_WORKSPACE_ID": ""}, inner) == "projet"


def test_a_worktree_on_disk_is_followed(tmp_path: Path) -> None:
    tree = tmp_path / "feature"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {tmp_path / 'main-repo' / '.git' / 'worktrees' / 'feature'}\n")
    assert find_workspace(None, {}, tree) == "main-repo"


@pytest.mark.parametrize("said", ["", "a\nb", "x" * 200])
def test_a_name_that_is_none_is_wrong_usage(tmp_path: Path, said: str) -> None:
    with pytest.raises(UsageError):
        find_workspace(said, {}, tmp_path)
