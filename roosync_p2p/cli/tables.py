"""Tables: ruled ones at a terminal, plain aligned columns on a pipe. Cells are made safe here.

A terminal may be too narrow. Then the widest column wraps, as long as it keeps room for words; else each row is told
in lines of its own. Nothing is ever cut: an id that is not whole cannot be typed.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Final

from roosync_p2p.api.terminal import safe_line

__all__ = ["plain_table", "table", "told_rows"]

_BETWEEN: Final = 3  # blanks between ruled columns
_WORDS_MIN: Final = 20  # what a column that wraps keeps


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as text for standard output, as that is a terminal or not."""
    safe = [[safe_line(cell) for cell in row] for row in rows]
    if sys.stdout is None or not sys.stdout.isatty():
        return plain_table(columns, safe)
    width = shutil.get_terminal_size().columns
    widths = _widths(columns, safe)
    needed = sum(widths) - max(widths) + min(max(widths), _WORDS_MIN) + _BETWEEN * len(widths)
    return _ruled_table(columns, safe, widths, width) if needed <= width else told_rows(columns, safe, width)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by blanks, two between them, none at line ends."""
    widths = _widths(columns, rows)
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (columns, *rows)
    )


def told_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """A line with the first cell of each row, whole, and below it the others that say something, by name."""
    lines: list[str] = []
    for row in rows:
        named = zip(columns[1:], row[1:], strict=True)
        facts = " · ".join(f"{name} {cell}".strip() for name, cell in named if cell)
        lines.append(row[0])
        lines += textwrap.wrap(
            facts, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
        )
    return "\n".join(lines)


def _ruled_table(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], width: int) -> str:
    import rich.box  # noqa: PLC0415 - only at a terminal: 50 ms
    import rich.console  # noqa: PLC0415 - the same
    import rich.table  # noqa: PLC0415 - the same
    import rich.text  # noqa: PLC0415 - the same

    ruled = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    widest = widths.index(max(widths))
    for index, column in enumerate(columns):
        ruled.add_column(column, no_wrap=index != widest, overflow="fold")
    for row in rows:
        ruled.add_row(*(rich.text.Text(cell) for cell in row))  # Text: no markup is looked for in it
    terminal = rich.console.Console(file=sys.stdout, width=width, height=25)  # both, or TERM=dumb means 80
    with terminal.capture() as capture:
        terminal.print(ruled)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n")


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(_width(line[index]) for line in (columns, *rows)) for index in range(len(columns))]


def _width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
