"""Faults of network paths that overlap: each is a layer, and a path behaves as all its layers together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.core.memory_transport import MemoryNetwork
from roosync_p2p.simulation.scheduler import Scheduler

__all__ = ["Paths"]

USABLE_LOSS_MAX: Final = 0.25  # what a bad wireless network loses; frames get through by being repeated
USABLE_DELAY_S_MAX: Final = 0.5  # with jitter; beyond it a heartbeat is late by itself


class Paths:
    """Keeps the layers, applies them to the network, and remembers since when each path has been good.

    A path is *usable* when what is sent arrives in time for a heartbeat, and *clear* when it has no fault at all.
    """

    def __init__(self, network: MemoryNetwork, scheduler: Scheduler) -> None:
        self._network = network
        self._scheduler = scheduler
        self._layers: dict[int, tuple[frozenset[tuple[str, str]], PathFault]] = {}
        self._next = itertools.count(1)
        self._unusable: dict[tuple[str, str], float | None] = {}  # until when it was; None while it is
        self._faulty: dict[tuple[str, str], float | None] = {}

    def add(self, ways: Iterable[tuple[str, str]], fault: PathFault) -> int:
        """Puts a fault on some ways, (source, target) each; returns its number, for :meth:`remove`."""
        layer = next(self._next)
        self._layers[layer] = (frozenset(ways), fault)
        self._apply(self._layers[layer][0])
        return layer

    def remove(self, layer: int) -> None:
        """Ends one fault; others on the same ways stay. Safe to call twice."""
        held = self._layers.pop(layer, None)
        if held is not None:
            self._apply(held[0])

    def heal(self) -> None:
        """Ends all faults."""
        for layer in list(self._layers):
            self.remove(layer)

    def usable_for(self, one: str, other: str) -> float:
        """For how many seconds both directions have been usable."""
        return min(self._since(self._unusable, one, other), self._since(self._unusable, other, one))

    def clear_for(self, one: str, other: str) -> float:
        """For how many seconds both directions have had no fault."""
        return min(self._since(self._faulty, one, other), self._since(self._faulty, other, one))

    def _since(self, bad: dict[tuple[str, str], float | None], source: str, target: str) -> float:
        until = bad.get((source, target), 0.0)
        return 0.0 if until is None else self._scheduler.now_s - until

    def _apply(self, ways: Iterable[tuple[str, str]]) -> None:
        for way in sorted(ways):
            fault = self._merged(way)
            self._network.set_path(*way, fault)
            usable = (
                not fault.cut and fault.loss <= USABLE_LOSS_MAX and fault.delay_s + fault.jitter_s <= USABLE_DELAY_S_MAX
            )
            self._mark(self._unusable, way, good=usable)
            self._mark(self._faulty, way, good=fault == PathFault())

    def _mark(self, bad: dict[tuple[str, str], float | None], way: tuple[str, str], *, good: bool) -> None:
        if not good:
            bad[way] = None
        elif way in bad and bad[way] is None:
            bad[way] = self._scheduler.now_s

    def _merged(self, way: tuple[str, str]) -> PathFault:
        faults = [fault for ways, fault in self._layers.values() if way in ways]
        return PathFault(
            cut=any(fault.cut for fault in faults),
            delay_s=sum(fault.delay_s for fault in faults),
            jitter_s=max((fault.jitter_s for fault in faults), default=0.0),
            loss=max((fault.loss for fault in faults), default=0.0),
            duplicate=max((fault.duplicate for fault in faults), default=0.0),
            reorder=max((fault.reorder for fault in faults), default=0.0),
        )
