"""Which workspace a command speaks for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

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
        ("/home/a/roosync/trees/feature", "gitdir: ../../.git/worktrees/feature", "roosync"),
        (r"C:\dev\roosync\feature", r"gitdir: ..\.git\worktrees\feature", "roosync"),
        ("/home/a/roosync/main", "gitdir: /home/a/roosync/.bare/worktrees/main", "roosync"),
        ("/home/a/roosync", "gitdir: ./.bare", "roosync"),
        ("/w/feature", "gitdir: /home/a/roosync/.git/modules/sub/worktrees/feature", "sub"),
        ("/home/a/roosync/worktrees/sub", "gitdir: ../../.git/modules/worktrees/sub", "sub"),
        (r"\\\\nas\dev\roosync", None, "roosync"),
        ("/home/a/Mon écurie (2)", None, "Mon écurie (2)"),
        ("/home/a/e\u0301curie", None, "écurie"),
        ("/w/feature", "gitdir: /home/a/e\u0301curie/.git/worktrees/feature", "écurie"),
        ("C:\\", None, ""),
        ("/", None, ""),
        ("/w/feature", "gitdir: /.git/worktrees/feature", ""),
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


def test_outside_any_repository_there_is_none(tmp_path: Path) -> None:
    assert find_workspace(None, {}, tmp_path) is None


def test_what_may_not_be_looked_at_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").write_text("gitdir: /elsewhere/main/.git/worktrees/x")

    def denied(path: Path, **_: object) -> NoReturn:
        raise PermissionError(13, "not yours", str(path))

    monkeypatch.setattr(Path, "open", denied)  # tests may run as root, who is kept from nothing
    assert find_workspace(None, {}, tmp_path) is None


def test_a_repository_whose_name_is_no_workspace_asks_for_one(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    (folder / ".git").mkdir(parents=True)
    with pytest.raises(UsageError, match="workspace") as caught:
        find_workspace(None, {}, folder)
    assert "--workspace" in caught.value.remedy


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_what_git_itself_makes_has_the_name_of_its_main_repository(tmp_path: Path) -> None:
    def git(folder: Path, *args: str) -> None:
        named = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
        done = subprocess.run(["git", *named, *args], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    main, bare, outer = tmp_path / "roosync", tmp_path / "store.git", tmp_path / "outer"
    for folder in (main, outer):
        folder.mkdir()
        git(folder, "init", "-q")
        git(folder, "commit", "-q", "--allow-empty", "-m", "begin")
    git(main, "worktree", "add", "-q", "../feature")
    git(main, "worktree", "add", "-q", "trees/inner")
    git(tmp_path, "clone", "-q", "--bare", str(main), str(bare))
    git(bare, "worktree", "add", "-q", "../of-bare", "HEAD")
    git(tmp_path, "clone", "-q", "--bare", str(main), str(tmp_path / "hidden" / ".bare"))
    git(tmp_path / "hidden" / ".bare", "worktree", "add", "-q", "../tree", "HEAD")
    git(outer, "submodule", "add", "-q", str(main), "libs/sub")
    git(outer / "libs" / "sub", "worktree", "add", "-q", str(tmp_path / "of-sub"))
    names = {
        main: "roosync",
        main / ".git" / "hooks": "roosync",
        tmp_path / "feature": "roosync",
        main / "trees" / "inner": "roosync",
        bare: "store",
        bare / "refs": "store",
        tmp_path / "of-bare": "store",
        tmp_path / "hidden" / ".bare": "hidden",
        tmp_path / "hidden" / "tree": "hidden",
        outer / "libs": "outer",
        outer / "libs" / "sub": "sub",
        tmp_path / "of-sub": "sub",
    }
    assert {folder: find_workspace(None, {}, folder) for folder in names} == names


@pytest.mark.parametrize("said", ["", "a\nb", "x" * 200])
def test_a_name_that_is_none_is_wrong_usage(tmp_path: Path, said: str) -> None:
    with pytest.raises(UsageError):
        find_workspace(said, {}, tmp_path)
