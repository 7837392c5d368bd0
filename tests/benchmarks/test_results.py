"""Renewing some tables of the page of figures leaves the others as they were."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.results import Figure, Report, kept_tables

_OLD = """
Taken on Monday.

### Joining

| a |

### At rest

| b |

Taken on Sunday.

### Commits

| c |
"""


def test_sections_that_are_renewed_go_and_the_others_stay_with_what_was_said_of_them() -> None:
    assert kept_tables(_OLD, {"Joining"}) == [
        "Taken on Monday.\n\n### At rest\n\n| b |",
        "Taken on Sunday.\n\n### Commits\n\n| c |",
    ]
    assert kept_tables(_OLD, {"Commits", "At rest"}) == ["Taken on Monday.\n\n### Joining\n\n| a |"]
    assert kept_tables("\n", {"Joining"}) == []


def test_a_page_keeps_what_stands_around_its_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Above\n\n<!-- figures -->{_OLD}<!-- end of figures -->\n\nbelow\n", encoding="utf-8")
    report = Report()
    report.add(Figure(section="Commits", what="one", who="roosync", unit="ms", values={"p50": 1.0}))
    report.update(page, {})
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Above\n\n<!-- figures -->\n\nTaken ")
    assert text.endswith("| b |\n\n<!-- end of figures -->\n\nbelow\n")
    assert (text.count("### Commits"), text.count("| c |"), text.count("### Joining")) == (1, 0, 1)
