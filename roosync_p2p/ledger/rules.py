"""What a program applies entries by: the kinds of each version of the rules that it knows (docs/protocol/ledger.md §6).

Which version is in force is in the state. So whoever replays an old commit number applies it by the rules of its time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from roosync_p2p.ledger.fleet import active_rules
from roosync_p2p.ledger.kinds import KINDS, Kind
from roosync_p2p.ledger.state import Reader

__all__ = ["RULES", "Rules"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """The tables of kinds by version, all from 1 on."""

    tables: Mapping[int, Mapping[str, Kind]]

    @property
    def newest(self) -> int:
        """The newest version that this program knows."""
        return max(self.tables)

    def in_force(self, reader: Reader) -> Mapping[str, Kind]:
        """The kinds of the version that a state names; the caller has asked :meth:`lacks`."""
        return self.tables[active_rules(reader)]

    def lacks(self, reader: Reader) -> int | None:
        """The version in force, if it is newer than this program; else None."""
        version = active_rules(reader)
        return version if version > self.newest else None


RULES: Final = Rules(MappingProxyType({1: KINDS}))
