"""Verification done once for a world: a frame that is broadcast is parsed and verified by the first who gets it.

:func:`~roosync_p2p.core.intake.prepare` is pure, so its result for the same bytes and the same known keys is the same;
machines of one world share it. Nothing is left out: every distinct frame goes through the real parser and the real
signatures once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from roosync_p2p.core.intake import Prepared, prepare
from roosync_p2p.trust.directory import Directory

__all__ = ["SharedPreparation"]

_FRAMES_MAX = 2_048  # a broadcast arrives everywhere within seconds
_DIRECTORIES_MAX = 512


class SharedPreparation:
    """``prepare`` with a memory of the frames of the last moments. What is refused is not remembered."""

    def __init__(self, prepare_frame: Callable[[bytes, Directory], Prepared] = prepare) -> None:
        self._prepare = prepare_frame
        self._known: dict[tuple[Hashable, bytes], Prepared] = {}
        self._fingerprints: dict[int, tuple[Directory, Hashable]] = {}

    def __call__(self, data: bytes, directory: Directory) -> Prepared:
        key = (self._fingerprint(directory), data)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _FRAMES_MAX:
                self._known.clear()
            known = self._known[key] = self._prepare(data, directory)
        return known

    def _fingerprint(self, directory: Directory) -> Hashable:
        held = self._fingerprints.get(id(directory))
        if held is not None:  # the directory is kept alive here, so its id is not another's
            return held[1]
        if len(self._fingerprints) >= _DIRECTORIES_MAX:
            self._fingerprints.clear()
            self._known.clear()
        members = tuple(sorted((machine, member.key_id) for machine, member in directory.members.items()))
        former = tuple(sorted(directory.former))
        given_up = tuple(sorted(directory.given_up))
        fingerprint = (directory.fleet, members, former, given_up, tuple(sorted(directory.issuers)))
        self._fingerprints[id(directory)] = (directory, fingerprint)
        return fingerprint
