"""Which witness says what is wrong with the folder, and what ends each."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.core.folder.faults import Faults
from roosync_p2p.errors import FolderError

FULL = FolderError("no room", code="folder_full")
LOCKED = FolderError("may not be written", code="folder_read_only")
AWAY = FolderError("not there", code="folder_unmounted")


def _code(faults: Faults) -> str | None:
    return None if faults.current is None else faults.current.code


def test_what_the_system_says_is_shown_until_it_says_otherwise() -> None:
    faults = Faults()
    faults.looked(None, FULL, 0.0)
    assert _code(faults) == "folder_full"
    faults.looked(None, LOCKED, 10.0)
    assert _code(faults) == "folder_read_only"
    faults.looked(None, None, 20.0)
    assert _code(faults) is None


def test_a_write_that_failed_is_shown_until_one_succeeds_whatever_the_system_says() -> None:
    faults = Faults()
    faults.wrote(FULL, 0.0, files=0)
    faults.looked(None, None, 5.0)
    assert _code(faults) == "folder_full"
    assert faults.write_again_at == limits.FOLDER_RETRY_S
    faults.wrote(None, 10.0, files=0)  # something was removed, which a full folder allows
    assert _code(faults) == "folder_full"
    faults.wrote(None, 10.0, files=1)
    assert _code(faults) is None
    assert faults.write_again_at < 0


def test_a_word_that_a_write_disproved_is_not_believed_until_the_system_took_it_back() -> None:
    faults = Faults()
    faults.looked(None, LOCKED, 0.0)
    faults.wrote(None, 1.0, files=1)
    assert _code(faults) is None
    faults.looked(None, LOCKED, 10.0)
    assert _code(faults) is None
    faults.looked(None, FULL, 20.0)
    assert _code(faults) == "folder_full"
    faults.looked(None, LOCKED, 30.0)
    assert _code(faults) == "folder_read_only"


def test_a_folder_that_is_away_is_neither_written_nor_looked_into_for_a_while() -> None:
    faults = Faults()
    faults.looked(None, FULL, 0.0)
    faults.wrote(AWAY, 1.0, files=0)
    assert _code(faults) == "folder_unmounted"
    assert not faults.writable
    assert faults.look_again_at == 1.0 + limits.FOLDER_RETRY_S
    faults.looked(None, FULL, 11.0)
    assert _code(faults) == "folder_full"
    assert faults.writable
