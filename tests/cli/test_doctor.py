"""What the doctor finds without a node."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from roosync_p2p.cli.doctor import check_home


def test_a_file_in_the_place_of_a_home_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    (found,) = check_home(home)
    assert (found["ok"], "is a file" in found["message"]) == (False, True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
@pytest.mark.parametrize(("mode", "ok"), [(0o700, True), (0o755, True), (0o777, False), (0o770, False)])
def test_a_home_that_others_can_write_into_is_found_with_the_remedy(tmp_path: Path, mode: int, ok: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    found = next(check for check in check_home(home) if check["id"] == "permissions")
    assert found["ok"] is ok
    assert ok or found["remedy"] == f"chmod 700 '{home}'"
