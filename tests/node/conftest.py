"""What the tests of the node share."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Nodes run on asyncio."""
    return "asyncio"
