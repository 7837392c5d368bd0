"""Tests that take too long for every run: what they show is shown in part by quicker ones, or in virtual time."""

from __future__ import annotations

import os
from typing import Final

import pytest

__all__ = ["ALL", "by_hand"]

ALL: Final = os.environ.get("ROOSYNC_TEST_ALL", "") == "1"

by_hand: Final = pytest.mark.skipif(not ALL, reason="takes long; ROOSYNC_TEST_ALL=1 runs it")
