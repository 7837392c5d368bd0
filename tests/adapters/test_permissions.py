"""Owner-only files: the POSIX part on disk, the Windows part as text, on every platform."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from roosync_p2p.adapters import permissions
from roosync_p2p.adapters.permissions import (
    PosixPermissions,
    WindowsPermissions,
    create_private_directory,
    explained,
    parse_saved_acl,
    parse_whoami,
    replace,
    restrict_command,
    strangers_in,
    write_private,
)
from roosync_p2p.errors import EnvironmentFault

_SID = "S-1-5-21-1004336348-1177238915-682003330-1001"
_OWN_ONLY = f"D:PAI(A;;FA;;;SY)(A;;FA;;;{_SID})"
_posix_only = pytest.mark.skipif(os.name == "nt", reason="mode bits are POSIX's")


class _Windows:
    """Answers the two commands as Windows does. ``sddl`` is what the file's access list is."""

    def __init__(self, sddl: str = _OWN_ONLY, whoami: bytes = f'"myia-po-2023\\jsboi","{_SID}"\r\n'.encode()) -> None:
        self.commands: list[list[str]] = []
        self._sddl = sddl
        self._whoami = whoami

    def __call__(self, command: Sequence[str]) -> bytes:
        self.commands.append(list(command))
        if command[0].endswith("whoami.exe"):
            return self._whoami
        if "/save" in command:
            Path(command[-1]).write_bytes(f"machine.key\r\n{self._sddl}\r\n".encode("utf-16-le"))
        return b"processed file: machine.key\r\n"


def _refused(action: object, code: str) -> EnvironmentFault:
    assert callable(action)
    with pytest.raises(EnvironmentFault) as caught:
        action()
    assert caught.value.code == code
    return caught.value


# --- every platform -----------------------------------------------------------------------------------------------


def test_a_private_file_is_complete_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    create_private_directory(tmp_path / "identity")
    write_private(tmp_path / "identity" / "machine.key", b"first")
    write_private(tmp_path / "identity" / "machine.key", b"second")
    assert [path.name for path in (tmp_path / "identity").iterdir()] == ["machine.key"]
    assert (tmp_path / "identity" / "machine.key").read_bytes() == b"second"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "machine.key"
    write_private(path, b"old")

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os if call == "fsync" else Path, call, fails)
        error = _refused(lambda: write_private(path, b"new"), "disk_full")
    assert str(path) in error.message
    assert error.remedy
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"machine.key": b"old"}


def test_a_directory_that_exists_is_not_taken_over(tmp_path: Path) -> None:
    _refused(lambda: create_private_directory(tmp_path), "cannot_create")


def test_a_directory_that_cannot_be_protected_is_not_left_there(tmp_path: Path) -> None:
    def fails(_: Sequence[str]) -> bytes:
        raise OSError("whoami.exe failed with 1")

    _refused(lambda: create_private_directory(tmp_path / "new", WindowsPermissions(fails)), "cannot_protect")
    assert not (tmp_path / "new").exists()


def test_a_file_that_an_antivirus_holds_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").write_bytes(b"new")
    waits: list[float] = []
    real = Path.replace

    def held_twice(self: Path, target: Path) -> Path:
        if len(waits) < 2:
            raise PermissionError(13, "The process cannot access the file")
        return real(self, target)

    with monkeypatch.context() as windows:
        windows.setattr(Path, "replace", held_twice)
        windows.setattr(permissions, "_ON_WINDOWS", True)
        replace(tmp_path / "new", tmp_path / "old", sleep=waits.append)
    assert (tmp_path / "old").read_bytes() == b"new"
    assert waits == [0.02, 0.04]


def test_a_file_that_stays_held_is_an_error_after_a_bounded_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def held(_: Path, __: Path) -> Path:
        raise PermissionError(13, "The process cannot access the file")

    with monkeypatch.context() as windows:
        windows.setattr(Path, "replace", held)
        windows.setattr(permissions, "_ON_WINDOWS", True)
        with pytest.raises(PermissionError):
            replace(tmp_path / "new", tmp_path / "old", sleep=waits.append)
    assert sum(waits) < 1


def test_an_error_of_the_disk_says_what_was_tried_on_what(tmp_path: Path) -> None:
    def reads() -> None:
        with explained(tmp_path / "gone", "read"):
            (tmp_path / "gone").read_bytes()

    error = _refused(reads, "cannot_read")
    assert error.details == {"path": str(tmp_path / "gone")}


# --- POSIX --------------------------------------------------------------------------------------------------------


@_posix_only
def test_private_files_are_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_private_directory(tmp_path / "identity")
        write_private(tmp_path / "identity" / "machine.key", b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "identity").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "identity" / "machine.key").stat().st_mode & 0o777 == 0o600


@_posix_only
def test_a_private_file_is_never_open_not_even_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real = os.fsync

    def watched_fsync(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)
        real(descriptor)

    with monkeypatch.context() as watched:
        watched.setattr(os, "fsync", watched_fsync)
        write_private(tmp_path / "machine.key", b"secret")
    assert modes[0] == 0o600


@_posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o666])
def test_a_file_that_is_open_to_others_is_refused_with_the_command_that_repairs_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "it's a key"
    path.write_bytes(b"")
    path.chmod(mode)
    error = _refused(lambda: PosixPermissions().check(path), "permissions_too_open")
    assert f"{mode:04o}" in error.message
    assert error.remedy.startswith("chmod 600 ")
    assert os.system(error.remedy) == 0
    PosixPermissions().check(path)


@_posix_only
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine.key"
    write_private(path, b"")
    if os.geteuid() == 0:
        os.chown(path, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    error = _refused(lambda: PosixPermissions().check(path), "wrong_owner")
    assert "chown" in error.remedy


@_posix_only
def test_a_missing_file_is_an_error_of_the_environment(tmp_path: Path) -> None:
    _refused(lambda: PosixPermissions().check(tmp_path / "gone"), "cannot_read")


# --- Windows, as text ---------------------------------------------------------------------------------------------


def test_a_directory_is_cut_off_from_what_it_would_inherit() -> None:
    windows = _Windows()
    WindowsPermissions(windows).protect_directory(Path("home"))
    whoami, icacls = windows.commands
    assert whoami[1:] == ["/user", "/fo", "csv", "/nh"]
    assert icacls[1:] == ["home", "/inheritance:r", "/grant:r", f"*{_SID}:(OI)(CI)F", "*S-1-5-18:(OI)(CI)F"]
    for command in windows.commands:
        assert "\\System32\\" in command[0]


def test_a_file_of_our_own_passes(tmp_path: Path) -> None:
    (tmp_path / "machine.key").write_bytes(b"")
    WindowsPermissions(_Windows()).check(tmp_path / "machine.key")
    assert [path.name for path in tmp_path.iterdir()] == ["machine.key"]


def test_a_file_that_others_can_read_is_refused_with_the_command_that_repairs_it(tmp_path: Path) -> None:
    windows = _Windows(sddl=f"D:AI(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;ID;FA;;;{_SID})")
    error = _refused(lambda: WindowsPermissions(windows).check(tmp_path / "a key"), "permissions_too_open")
    assert error.details["strangers"] == ["BU"]
    assert f'"{tmp_path / "a key"}" /inheritance:r /grant:r *{_SID}:F *S-1-5-18:F' in error.remedy
    assert not list(tmp_path.iterdir())


def test_a_list_that_cannot_be_read_is_an_error_of_the_environment(tmp_path: Path) -> None:
    windows = _Windows(whoami=b"ERROR: Access is denied.\r\n")
    _refused(lambda: WindowsPermissions(windows).check(tmp_path / "machine.key"), "cannot_read")


@pytest.mark.parametrize(
    ("sddl", "strangers"),
    [
        (_OWN_ONLY, ()),
        (f"O:{_SID}G:S-1-5-21-1-2-3-513D:PAI(A;;FA;;;{_SID})(A;;FA;;;BA)", ()),
        (f"{_OWN_ONLY}S:AI(AU;SAFA;FA;;;WD)", ()),
        (f"D:(D;;FA;;;WD)(A;;FA;;;{_SID})", ()),
        (f"D:(A;OICIIO;FA;;;CO)(A;;FA;;;{_SID})", ()),
        ("D:", ()),
        ("D:(A;;FA;;;WD)", ("WD",)),
        (f"{_OWN_ONLY}(A;;FR;;;AU)(A;;FR;;;BU)(A;ID;FR;;;AU)", ("AU", "BU")),
        (f"{_OWN_ONLY}(A;;FR;;;S-1-5-21-1004336348-1177238915-682003330-1002)", (f"{_SID[:-1]}2",)),
        (f"{_OWN_ONLY}(OA;;FR;;;WD)", ("WD",)),
        (f'{_OWN_ONLY}(XA;;FR;;;WD;"x")', ("WD",)),
        (f"{_OWN_ONLY}(A;;FA;;;LA)", ("LA",)),
        ("D:NO_ACCESS_CONTROL", ("WD",)),
        ("O:SYG:SY", ("WD",)),
        (f"{_OWN_ONLY}(A)", ("A",)),
    ],
)
def test_who_else_is_allowed_is_read_from_the_list(sddl: str, strangers: tuple[str, ...]) -> None:
    assert strangers_in(sddl, _SID) == strangers


def test_the_built_in_administrator_is_known_by_both_names() -> None:
    sid = "S-1-5-21-1-2-3-500"
    assert strangers_in(f"D:(A;;FA;;;LA)(A;;FA;;;{sid})", sid) == ()


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
def test_a_saved_list_is_read_with_and_without_a_byte_order_mark(mark: bytes) -> None:
    assert parse_saved_acl(mark + f"clé.key\r\n{_OWN_ONLY}\r\n".encode("utf-16-le")) == _OWN_ONLY


@pytest.mark.parametrize("data", [b"", b"\xff", "machine.key\r\n".encode("utf-16-le"), b"D:(A;;FA;;;WD)"])
def test_a_saved_list_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(OSError, match="no access list"):
        parse_saved_acl(data)


def test_the_user_is_read_whatever_the_account_is_called() -> None:
    assert parse_whoami('"autorité nt\\système","S-1-5-18"\r\n'.encode("cp850")) == "S-1-5-18"
    with pytest.raises(OSError, match="whoami"):
        parse_whoami(b"")


def test_the_command_for_one_file_inherits_nothing() -> None:
    assert restrict_command(Path("machine.key"), _SID, inherited=False)[-2:] == [f"*{_SID}:F", "*S-1-5-18:F"]
