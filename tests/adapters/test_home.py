"""Where the home is, how it is made, and what is read from it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home, create_home, default_home, read_settings, resolve_home
from roosync_p2p.core.settings import parse_toml
from roosync_p2p.errors import EnvironmentFault, InputFault

LOCAL = r"C:\Users\Zoé\AppData\Local"


def test_the_option_comes_before_the_environment(tmp_path: Path) -> None:
    environ = {"ROOSYNC_HOME": str(tmp_path / "variable")}
    assert resolve_home(str(tmp_path / "option"), environ, "linux") == Home(tmp_path / "option")
    assert resolve_home(None, environ, "linux") == Home(tmp_path / "variable")


def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert resolve_home(None, {"ROOSYNC_HOME": " "}, "linux") == Home(tmp_path / "roosync")


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_home("one", {}, "linux").path == tmp_path / "one"


def test_a_tilde_is_the_users_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_home("~/one", {}, "linux").path == Path("~/one").expanduser()


def test_windows_takes_the_local_application_data_and_never_the_roaming() -> None:
    environ = {"LOCALAPPDATA": LOCAL, "APPDATA": r"C:\Users\Zoé\AppData\Roaming"}
    assert default_home(environ, "win32") == PureWindowsPath(LOCAL, "roosync")


def test_macos_takes_the_application_support_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_home({}, "darwin").parts[-3:] == ("Library", "Application Support", "roosync")


@pytest.mark.skipif(os.name == "nt", reason="the directories of a POSIX system")
def test_linux_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home({}, "linux") == PurePosixPath("/data/roosync")


def test_every_path_lies_in_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    paths = [getattr(home, name) for name in vars(Home) if isinstance(vars(Home)[name], property)]
    assert paths
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_a_home_is_made_with_its_parents_and_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b" / "home")
    create_home(home, {})
    assert home.logs.is_dir()
    if os.name == "posix":
        assert home.path.stat().st_mode & 0o777 == 0o700
        assert home.logs.stat().st_mode & 0o777 == 0o700


def test_making_a_home_again_leaves_it_as_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    create_home(home, {})
    home.settings_file.write_text("# mine\n")
    create_home(home, {})
    assert home.settings_file.read_text() == "# mine\n"


def test_a_file_in_the_place_of_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(InputFault) as caught:
        create_home(Home(tmp_path / "home"), {})
    assert caught.value.code == "home_not_directory"


def test_a_home_in_a_synchronised_folder_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "Dropbox" / "deep" / "home")
    with pytest.raises(InputFault) as caught:
        create_home(home, {})
    assert caught.value.code == "home_synchronised"
    assert "Dropbox" in caught.value.message
    assert "--home" in caught.value.remedy
    assert not (tmp_path / "Dropbox").exists()


def test_settings_that_are_not_there_are_empty(tmp_path: Path) -> None:
    assert read_settings(Home(tmp_path)) == b""
    assert parse_toml(read_settings(Home(tmp_path))) == parse_toml(b"")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_settings_are_read_as_windows_editors_write_them(tmp_path: Path, encoding: str) -> None:
    home = Home(tmp_path)
    home.settings_file.write_bytes('# réglages\r\n[node]\r\nmachine = "myia-ai-01"\r\n'.encode(encoding))
    assert parse_toml(read_settings(home)) == parse_toml(b'[node]\nmachine = "myia-ai-01"\n')


def test_of_an_endless_settings_file_one_byte_too_many_is_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.settings_file.write_bytes(b"#" * (limits.SETTINGS_BYTES_MAX + 5))
    assert len(read_settings(home)) == limits.SETTINGS_BYTES_MAX + 1
    with pytest.raises(InputFault):
        parse_toml(read_settings(home))


def test_settings_that_cannot_be_read_are_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.settings_file.mkdir()
    with pytest.raises(EnvironmentFault) as caught:
        read_settings(home)
    assert caught.value.code == "cannot_read"
