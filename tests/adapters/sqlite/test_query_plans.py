"""How SQLite walks to a page: by an index, so that its cost is the page's and not the inbox's (store.md §3.3).

The plan is looked at, and not a clock: on a busy computer a time says little.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.adapters.sqlite.aged import AGED_STATEMENTS
from roosync_p2p.adapters.sqlite.inbox import inbox_statement
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.ids import MachineId

A = MachineId("machine-a")


def _plan(database: Path, statement: str) -> list[str]:
    SqliteStore.open(database).close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [1] * statement.count("?")).fetchall()
    return [str(row[3]) for row in rows]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (InboxQuery(), "deliveries_by_status (status=? AND rowid<?)"),
        (InboxQuery(workspaces=("w",)), "deliveries_by_workspace (workspace=? AND status=? AND rowid<?)"),
        (InboxQuery(sender=A), "deliveries_by_author (author=? AND status=? AND rowid<?)"),
        (InboxQuery(thread_id="t"), "deliveries_by_thread (thread_id=? AND status=? AND rowid<?)"),
        (InboxQuery(type="task"), "deliveries_by_type (type=? AND status=? AND rowid<?)"),
        (InboxQuery(priority="HIGH"), "deliveries_by_priority (priority=? AND status=? AND rowid<?)"),
        (InboxQuery(type="task", workspaces=("w",)), "deliveries_by_type (type=? AND status=? AND rowid<?)"),
        (InboxQuery(thread_id="t", sender=A), "deliveries_by_thread (thread_id=? AND status=? AND rowid<?)"),
    ],
    ids=str,
)
def test_a_page_is_a_backward_walk_over_one_index_without_sorting(
    database: Path, query: InboxQuery, index: str
) -> None:
    (step,) = _plan(database, inbox_statement(query))
    assert step.startswith("SEARCH deliveries USING ")
    assert step.endswith(f"INDEX {index}")


def test_a_page_of_a_tag_is_a_backward_walk_over_its_ranks(database: Path) -> None:
    walk, look = _plan(database, inbox_statement(InboxQuery(tag="t", workspaces=("w",))))
    assert walk == "SEARCH delivery_tags USING PRIMARY KEY (tag=? AND status=? AND rank<?)"
    assert look == "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"


def test_a_page_of_some_days_reads_those_days_only(database: Path) -> None:
    plan = _plan(database, inbox_statement(InboxQuery(since_ms=1, until_ms=2)))
    assert plan[0].endswith("INDEX deliveries_by_time (status=? AND sent_ms>? AND sent_ms<?)")
    assert plan[1:] == ["USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize(
    ("what", "walk"),
    [
        ("archive", "SEARCH deliveries USING INDEX deliveries_by_change (status=? AND changed_ms<?)"),
        ("expire", "SEARCH deliveries USING INDEX deliveries_by_time (status=? AND sent_ms<?)"),
        ("drop", "SEARCH messages USING INDEX messages_by_age (time_ms<?)"),
    ],
)
def test_what_is_old_is_found_by_its_age_without_sorting(database: Path, what: str, walk: str) -> None:
    names = ("mine", "read_ms", "unread_ms", "shown_ms", "archived_ms", "elsewhere_ms", "cited", "limit")
    SqliteStore.open(database).close()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        values = {name: "[]" if name == "cited" else 1 for name in names}
        rows = connection.execute(f"EXPLAIN QUERY PLAN {AGED_STATEMENTS[what]}", values).fetchall()
    plan = [str(row[3]) for row in rows]
    assert plan[0] == walk
    assert not any("TEMP B-TREE" in step for step in plan)
