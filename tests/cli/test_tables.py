"""Tables at terminals of every width: what has to be typed again is never cut."""

from __future__ import annotations

import io

import pytest

from roosync_p2p.cli.tables import plain_table, table, told_rows

ID = "msg-20260115T091530-a1b2c3"
COLUMNS = ("id", "from", "subject", "time")
ROWS = [
    (ID, "myia-po-2023", "the tests of the parser are red since this morning", "2026-01-15T09:15:30.000Z"),
    (ID, "myia-web1", "\x1b[2J [bold]", ""),
]


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def _shown(monkeypatch: pytest.MonkeyPatch, width: int) -> str:
    monkeypatch.setattr("sys.stdout", _Terminal())
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    return table(COLUMNS, ROWS)


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 30])
def test_every_word_is_whole_at_any_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    shown = _shown(monkeypatch, width)
    assert "…" not in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= width
    for row in ROWS:
        for cell in row:
            for word in cell.replace("\x1b", "\\x1b").split():
                assert word in shown


def test_a_wide_terminal_has_one_line_a_row_and_a_narrow_one_has_no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(_shown(monkeypatch, 200).splitlines()) == 2 + len(ROWS)
    assert _shown(monkeypatch, 60).splitlines()[0] == ID


def test_a_told_row_names_what_it_says_and_leaves_out_what_is_empty() -> None:
    assert told_rows(("key", "unit", "meaning"), [("a", "", "b"), ("c", "d", "e")], 40).splitlines() == [
        "a",
        "  meaning b",
        "c",
        "  unit d · meaning e",
    ]


def test_on_a_pipe_or_without_any_output_columns_are_aligned_by_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = plain_table(("a", "b"), [("1", "x"), ("22", "")])
    assert plain == "a   b\n1   x\n22"
    for output in (io.StringIO(), None):
        monkeypatch.setattr("sys.stdout", output)
        assert table(("a", "b"), [("1", "x"), ("22", "")]) == plain
