"""The store on disk keeps the contract of every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.core.ports import Store
from tests.conformance.store_suite import Reopen, StoreSuite


class TestSqliteStore(StoreSuite):
    """The contract."""

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        opened: list[SqliteStore] = []

        def reopen() -> Store:
            for store in opened:
                store.close()
            opened.append(SqliteStore.open(tmp_path / "node.db"))
            return opened[-1]

        yield reopen
        for store in opened:
            store.close()
