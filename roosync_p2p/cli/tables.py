"""Tables: ruled ones at a terminal, plain aligned columns on a pipe. Cells are made safe here."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence

from roosync_p2p.api.terminal import safe_line

__all__ = ["plain_table", "table"]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as text for standard output, as that is a terminal or not."""
    safe = [[safe_line(cell) for cell in row] for row in rows]
    return _ruled_table(columns, safe) if sys.stdout.isatty() else plain_table(columns, safe)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by blanks, two between them, none at line ends."""
    lines = [list(columns), *[list(row) for row in rows]]
    widths = [max(_width(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _ruled_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    import rich.box  # noqa: PLC0415 - only at a terminal: 50 ms
    import rich.console  # noqa: PLC0415 - the same
    import rich.table  # noqa: PLC0415 - the same
    import rich.text  # noqa: PLC0415 - the same

    ruled = rich.table.Table(*columns, box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        ruled.add_row(*(rich.text.Text(cell) for cell in row))  # Text: no markup is looked for in it
    terminal = rich.console.Console(file=sys.stdout)
    with terminal.capture() as capture:
        terminal.print(ruled)
    return capture.get().rstrip("\n")


def _width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
