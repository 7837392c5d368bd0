"""The anyio backend of the node, and fleets with key material in a temporary directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.certificates import TestFleet


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def fleet(tmp_path: Path) -> TestFleet:
    return TestFleet(tmp_path)


@pytest.fixture
def other_fleet(tmp_path: Path) -> TestFleet:
    return TestFleet(tmp_path, "other fleet")
