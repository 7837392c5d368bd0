"""A process that ends at a step of its own: everything before it happened, nothing after it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from types import ModuleType

import pytest

__all__ = ["KilledError", "dies_at"]

_STEPS = ("write_private", "replace", "create_private_directory", "remove_folder")


class KilledError(BaseException):
    """Stands for the end of the process: nothing after it runs."""


def dies_at(monkeypatch: pytest.MonkeyPatch, step: int, modules: Iterable[ModuleType]) -> None:
    """Every write and every move is a step; the given one does not happen, and nothing is cleaned up after it."""
    steps = itertools.count()

    def stepping(real: Callable[..., None]) -> Callable[..., None]:
        def maybe(*arguments: object) -> None:
            if next(steps) >= step:
                raise KilledError
            real(*arguments)

        return maybe

    for module in modules:
        for name in _STEPS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, stepping(getattr(module, name)))
