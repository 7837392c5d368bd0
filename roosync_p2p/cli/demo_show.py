"""What a demonstration tells: lines as it goes, one document with ``--json``, the figures at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from roosync_p2p.api.terminal import Invocation, safe_line
from roosync_p2p.cli.demo_texts import DEMO_TEXTS
from roosync_p2p.cli.settings import read_settings
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import Texts
from roosync_p2p.errors import EnvironmentFault, RoosyncError

__all__ = ["DemoShow"]

# The rows of the summary: text, figure, form.
_ROWS: Final = (
    ("row.founded", "founded_s", "{:.1f} s"),
    ("row.joined", "joined_s", "{:.1f} s"),
    ("row.online", "online_s", "{:.1f} s"),
    ("row.delivered", "delivered_ms", "{:.0f} ms"),
    ("row.receipt", "receipt_ms", "{:.0f} ms"),
    ("row.claimed", "claimed_ms", "{:.0f} ms"),
    ("row.decided", "decided_ms", "{:.0f} ms"),
    ("row.noticed", "noticed_ms", "{:.0f} ms"),
    ("row.returned", "returned_s", "{:.1f} s"),
    ("row.copies", "copies", "{:.0f}"),
    ("row.refused", "refused", "{:.0f}"),
    ("row.total", "total_s", "{:.1f} s"),
)


class DemoShow:
    """Says what happens, and keeps what was measured.

    Attributes:
        figures: measured values by name, with the unit at the end of the name.
        noticed_ms: when each other machine noticed the kill.
        language: of the texts, from the settings of the user's own home.
    """

    def __init__(self, invocation: Invocation, folder: Path, machines: int) -> None:
        self.figures: Final[dict[str, float]] = {}
        self.noticed_ms: Final[dict[str, float]] = {}
        self.language: Final = _language(invocation.home)
        self._texts: Final = DEMO_TEXTS[self.language]
        self._words: Final = Texts(self.language)
        self._invocation: Final = invocation
        self._folder: Final = folder
        self._machines: Final = machines
        self._began_s: Final = time.monotonic()
        self._step_began_s = self._began_s
        self._steps: list[str] = []
        self._refused: list[dict[str, str]] = []
        self._line("", "begin", {"count": machines, "folder": folder})

    def begin_step(self, step: str, **values: str) -> None:
        """The next step begins; the one before passed."""
        self._steps.append(step)
        self._step_began_s = time.monotonic()
        self._line(f"{len(self._steps)}. ", step, values)

    def step_age_s(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._step_began_s

    def say(self, text: str, **values: object) -> None:
        """A line of progress within a step."""
        self._line("   ", text, values)

    def seen(self, row: Mapping[str, Any]) -> None:
        """One machine as another sees it, with the evidence."""
        evidence = row["evidence"]
        self.say(
            "sees",
            machine=row["machine"],
            state=self._words.word("machine", row["state"]),
            evidence=self._words.get(
                f"evidence.{evidence['path']}", age=f"{evidence['age_s']:.1f}", via=evidence["via"]
            ),
        )

    def refused(self, what: str, reason: str, *, machine: str = "") -> None:
        """Somebody was not let in, as it should be; ``machine``: in whose name."""
        self._refused.append({"what": what, "reason": reason})
        self.say(what, reason=reason, machine=machine)

    def summary(self, *, kept: bool) -> None:
        """The figures, once every step has passed and every process is gone."""
        self.figures["total_s"] = time.monotonic() - self._began_s
        self.figures["refused"] = len(self._refused)
        if self._invocation.as_json:
            self._invocation.print_json(self._document(kept=kept))
            return
        rows = [
            [self._texts[text].format(count=self._machines), form.format(self.figures[name])]
            for text, name, form in _ROWS
        ]
        self._invocation.print()
        self._invocation.print(table([self._texts["column.what"], self._texts["column.measured"]], rows))
        self._invocation.print(f"\n{self._texts['done']}")
        if kept:
            home = f'"{self._folder / "machine-a"}"'
            self._invocation.print(self._texts["kept"].format(folder=safe_line(str(self._folder))))
            self._invocation.print(f"  roosync --home {safe_line(home)} up")
            self._invocation.print(self._texts["kept.then"])
            self._invocation.print(f"  roosync --home {safe_line(home)} status")

    def failure(self, error: RoosyncError | OSError) -> EnvironmentFault:
        """The error that ends a demonstration: which step, why, and where the logs are."""
        step = self._steps[-1] if self._steps else "begin"
        reason = error.message if isinstance(error, RoosyncError) else str(error)
        return EnvironmentFault(
            f"step {len(self._steps)} of the demonstration ({step}) failed: {reason}",
            code="demo_failed",
            remedy=f"the logs are kept in {self._folder}; that directory can be deleted",
            details={
                "step": step,
                "reason": error.code if isinstance(error, RoosyncError) else type(error).__name__,
                "folder": str(self._folder),
            },
        )

    def _line(self, lead: str, text: str, values: Mapping[str, object]) -> None:
        self._invocation.progress(lead + safe_line(self._texts[text].format(**values)))

    def _document(self, *, kept: bool) -> dict[str, object]:
        measured = {name: round(value, 3) for name, value in self.figures.items()}
        return {
            "ok": True,
            "machines": self._machines,
            "folder": str(self._folder) if kept else None,
            "steps": self._steps,
            "measured": measured,
            "noticed_ms": {machine: round(value, 1) for machine, value in self.noticed_ms.items()},
            "refused": self._refused,
        }


def _language(home: Path) -> str:
    """As the user's own settings say; English where there are none, or where they do not parse."""
    try:
        return read_settings(home).ui.language if (home / "settings.toml").exists() else "en"
    except RoosyncError:
        return "en"
