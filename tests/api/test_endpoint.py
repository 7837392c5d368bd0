"""Finding the node, and the file that says where it is."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.api.endpoint import Endpoint, find_endpoint, read_endpoint, remove_endpoint, write_endpoint
from roosync_p2p.api.home import default_home
from roosync_p2p.api.listeners import private_folder, socket_paths
from roosync_p2p.api.processes import process_alive
from roosync_p2p.errors import EnvironmentFault, NetworkError, NotRunningError, UsageError

HERE = Endpoint(token="secret", socket="/x/api.sock", pid=os.getpid())


def test_what_is_written_is_read_and_the_token_is_not_shown(tmp_path: Path) -> None:
    write_endpoint(tmp_path, HERE)
    assert read_endpoint(tmp_path) == HERE
    assert find_endpoint(tmp_path, {}) == HERE
    assert "secret" not in repr(HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["api.json"]


def test_a_full_disk_is_said_with_the_file_and_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_endpoint(tmp_path, HERE)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(EnvironmentFault) as caught:
        write_endpoint(tmp_path, Endpoint(token="next", socket="/z", pid=1))
    assert caught.value.code == "disk_full"
    assert str(tmp_path / "api.json") in caught.value.message
    assert caught.value.remedy
    assert read_endpoint(tmp_path) == HERE
    assert [path.name for path in tmp_path.iterdir()] == ["api.json"]


def test_only_ones_own_file_is_removed(tmp_path: Path) -> None:
    other = Endpoint(token="other", socket="/y", pid=1)
    write_endpoint(tmp_path, other)
    remove_endpoint(tmp_path, HERE)
    assert read_endpoint(tmp_path) == other
    remove_endpoint(tmp_path, other)
    remove_endpoint(tmp_path, other)
    assert not (tmp_path / "api.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"token": "t"}', '{"token": "t", "pid": "x"}', "\udcff"])
def test_a_file_that_is_no_address_means_no_node(tmp_path: Path, text: str) -> None:
    (tmp_path / "api.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(NotRunningError, match="cannot be read"):
        read_endpoint(tmp_path)


@pytest.mark.parametrize(
    "address", ["nonsense", "https://127.0.0.1:1", "http://127.0.0.1", "http://h:99999", "http://"]
)
def test_a_malformed_address_in_the_environment_is_wrong_usage(tmp_path: Path, address: str) -> None:
    (tmp_path / "token").write_text("t")
    with pytest.raises(UsageError, match="ROOSYNC_API"):
        find_endpoint(tmp_path, {"ROOSYNC_API": address, "ROOSYNC_TOKEN_FILE": str(tmp_path / "token")})


@pytest.mark.parametrize("token", [None, b"", b"\xff", b"a\nb", b"{}"])
def test_an_address_needs_a_token_file(tmp_path: Path, token: bytes | None) -> None:
    if token is not None:
        (tmp_path / "token").write_bytes(token)
    with pytest.raises(UsageError, match="ROOSYNC_TOKEN_FILE"):
        find_endpoint(tmp_path, {"ROOSYNC_API": "unix:/x", "ROOSYNC_TOKEN_FILE": str(tmp_path / "token")})
    with pytest.raises(UsageError, match="ROOSYNC_TOKEN_FILE"):
        find_endpoint(tmp_path, {"ROOSYNC_API": "unix:/x"})


def test_a_unix_socket_can_be_named_with_one_slash_or_three(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    for address in ("unix:/run/api.sock", "unix:///run/api.sock"):
        found = find_endpoint(tmp_path, {"ROOSYNC_API": address, "ROOSYNC_TOKEN_FILE": str(tmp_path / "token")})
        assert found.socket == "/run/api.sock"


@pytest.mark.skipif(sys.platform == "win32", reason="paths as POSIX has them")
def test_socket_paths_prefer_the_home_and_always_fit() -> None:
    short = socket_paths(Path("/home/a/.roosync"), runtime_dir="/run/user/7", temp_dir="/tmp", uid=7)
    assert short[0] == Path("/home/a/.roosync/api.sock")
    assert short[1].parent.parent == Path("/run/user/7")
    long = socket_paths(Path("/home") / ("x" * 120), runtime_dir=None, temp_dir="/" + "t" * 90, uid=7)
    assert [path.parent.parent for path in long] == [Path("/tmp")]
    assert all(len(os.fsencode(path)) <= limits.API_SOCKET_PATH_BYTES_MAX for path in short + long)


@pytest.mark.skipif(sys.platform == "win32", reason="paths as POSIX has them")
def test_two_homes_never_share_a_socket() -> None:
    a, b = (socket_paths(Path(h), runtime_dir="/run/u", temp_dir="/tmp", uid=1) for h in ("/h/a", "/h/b"))
    assert not set(a) & set(b)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_folder_that_others_can_enter_is_not_trusted(tmp_path: Path) -> None:
    private_folder(tmp_path / "mine")
    private_folder(tmp_path / "mine")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("open", "link"):
        with pytest.raises(NetworkError, match="belongs to this user alone"):
            private_folder(tmp_path / name)


def test_a_process_lives_until_it_ends_even_uncollected() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert process_alive(child.pid)
        child.kill()
        assert child.stdout is not None
        child.stdout.read()  # its end is seen; where the system tells, it is dead though nobody has collected it
        child.wait()
        assert not process_alive(child.pid)
    assert process_alive(os.getpid())
    assert not process_alive(0)
    assert not process_alive(-1)
    assert not process_alive(2**40)


def test_the_home_is_the_one_named_else_local_application_data(tmp_path: Path) -> None:
    assert default_home({"ROOSYNC_HOME": str(tmp_path)}) == tmp_path
    assert default_home({}).name == "roosync"
