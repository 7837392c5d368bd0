"""What a benchmark hands back: figures, and what was left out and why; as a table and as JSON.

Durations are given in seconds and shown in the unit of the figure. Nothing here judges a figure.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import re
import sqlite3
import ssl
import textwrap
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

from roosync_p2p.version import __version__

__all__ = ["Figure", "Report", "distribution", "kept_tables", "load_average"]

_BEGIN: Final = "<!-- figures -->"
_END: Final = "<!-- end of figures -->"
_COLUMNS_FIRST: Final = ("min", "p50", "p99", "max", "n")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of a table.

    Attributes:
        section: the table.
        what: what was measured, in words.
        who: roosync, or the peer.
        unit: of every value but ``n``.
        values: by column; the columns of a table are all that its figures have.
        note: what has to be known to compare it.
    """

    section: str
    what: str
    who: str
    unit: str
    values: dict[str, float]
    note: str = ""


class Report:
    """Collects figures as they are measured, and says each at once on the terminal."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self._loads: list[float] = []
        self.skipped: list[dict[str, str]] = []
        self._began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._load_first = load_average()

    def add(self, figure: Figure) -> None:
        """Keeps and prints a figure."""
        self.figures.append(figure)
        self._loads.append(load_average()[0])
        cells = "  ".join(f"{name} {_shown(value)}" for name, value in figure.values.items())
        print(f"  {figure.who:<22} {figure.what}: {cells} {figure.unit}   [load {self._loads[-1]:.1f}]", flush=True)

    def skip(self, section: str, who: str, reason: str) -> None:
        """Keeps and prints why something is not there."""
        self.skipped.append({"section": section, "who": who, "reason": reason})
        print(f"  {who:<22} left out of {section}: {reason}", flush=True)

    def beside(self, section: str, who: str, missing: str, measure: Callable[[], None]) -> None:
        """Measures a peer, unless it is ``missing`` for that reason; one that hangs is left out and said so."""
        if missing:
            self.skip(section, who, missing)
            return
        try:
            measure()
        except (TimeoutError, OSError) as error:
            self.skip(section, who, str(error).splitlines()[0])

    def document(self, versions: dict[str, str]) -> dict[str, Any]:
        """Everything, for a program."""
        return {
            "began": self._began,
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": {
                "system": platform.platform(),
                "processor": _processor(),
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "sqlite": sqlite3.sqlite_version,
                "openssl": ssl.OPENSSL_VERSION,
            },
            "versions": {"roosync": __version__, **versions},
            "loadavg": {"at the beginning": self._load_first, "at the end": load_average()},
            "figures": [
                {**dataclasses.asdict(figure), "load": load}
                for figure, load in zip(self.figures, self._loads, strict=True)
            ],
            "skipped": self.skipped,
        }

    def write_json(self, path: Path, versions: dict[str, str]) -> None:
        """Writes :meth:`document`."""
        path.write_text(json.dumps(self.document(versions), indent=2) + "\n")

    def update(self, page: Path, versions: dict[str, str]) -> None:
        """Puts the tables between the two marks of a Markdown page, with when and where they were taken.

        Tables of sections that were not measured now stay, behind what was said of them.
        """
        before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
        old, mark, after = rest.partition(_END)
        assert mark, f"{page} has no place for figures: {_BEGIN} … {_END}"
        document = self.document(versions)
        machine = document["machine"]
        programs = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
        about = (
            f"Taken {document['began']} to {document['ended'][11:]} on {machine['cores']} cores of "
            f"{machine['processor'] or 'an unnamed processor'}, {machine['system']}, Python {machine['python']}, "
            f"SQLite {machine['sqlite']}, {machine['openssl']}: {programs}. Load average of a minute at the beginning "
            f"{document['loadavg']['at the beginning'][0]:.1f}, and beside each figure when it was complete."
        )
        lines = "\n".join(textwrap.wrap(about, 118, break_on_hyphens=False))
        kept = kept_tables(old, {figure.section for figure in self.figures})
        text = "\n\n".join([lines, self.tables(), *kept])
        page.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}", encoding="utf-8")

    def tables(self) -> str:
        """One Markdown table a section."""
        taken = list(zip(self.figures, self._loads, strict=True))
        parts = [
            f"### {section}\n\n{_table([one for one in taken if one[0].section == section])}"
            for section in dict.fromkeys(figure.section for figure in self.figures)
        ]
        if self.skipped:
            lines = [f"- {skipped['section']}, {skipped['who']}: {skipped['reason']}" for skipped in self.skipped]
            parts.append("Left out:\n\n" + "\n".join(lines))
        return "\n\n".join(parts)


def kept_tables(old: str, renewed: Collection[str]) -> list[str]:
    """What stays of the tables of earlier runs: each run's introduction, and its sections that are not renewed."""
    kept = []
    for run in re.split(r"^(?=Taken )", old.strip(), flags=re.MULTILINE):
        introduction, *sections = re.split(r"^(?=### )", run, flags=re.MULTILINE)
        left = [text.strip() for text in sections if text.partition("\n")[0].removeprefix("### ") not in renewed]
        if left:
            kept.append("\n\n".join([introduction.strip(), *left]))
    return kept


def distribution(values: Sequence[float], scale: float = 1.0) -> dict[str, float]:
    """Minimum, median, 99th percentile (nearest rank), maximum, and of how many."""
    ordered = sorted(value * scale for value in values)
    return {
        "min": ordered[0],
        "p50": _rank(ordered, 0.50),
        "p99": _rank(ordered, 0.99),
        "max": ordered[-1],
        "n": len(ordered),
    }


def load_average() -> tuple[float, ...]:
    """Of the last 1, 5 and 15 minutes; zeros where the system keeps none."""
    return tuple(round(value, 2) for value in os.getloadavg()) if hasattr(os, "getloadavg") else (0.0, 0.0, 0.0)


def _rank(ordered: Sequence[float], fraction: float) -> float:
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def _table(taken: Sequence[tuple[Figure, float]]) -> str:
    named = list(dict.fromkeys(name for figure, _ in taken for name in figure.values))
    columns = [name for name in _COLUMNS_FIRST if name in named] + [
        name for name in named if name not in _COLUMNS_FIRST
    ]
    rows = [["what", "who", *columns, "unit", "load", "note"]]
    for figure, load in taken:
        cells = [_shown(figure.values[name]) if name in figure.values else "" for name in columns]
        rows.append([figure.what, figure.who, *cells, figure.unit, f"{load:.1f}", figure.note])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _shown(value: float) -> str:
    if value == round(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
