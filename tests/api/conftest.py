"""A real API server over a fake backend for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.api.sync_client import SyncClient
from tests.helpers.api_server import RunningApi, running_api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    """A server on a unix socket (127.0.0.1 on Windows)."""
    with running_api(tmp_path / "home") as running:
        yield running


@pytest.fixture(scope="module")
def tcp_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """A server that listens on 127.0.0.1 too, with short keepalives; one for all tests of a module."""
    with running_api(tmp_path_factory.mktemp("api") / "home", tcp=True, keepalive_s=0.02) as running:
        yield running


@pytest.fixture
def client(api: RunningApi) -> SyncClient:
    """A client of ``api``."""
    return SyncClient(api.home, environ={})
