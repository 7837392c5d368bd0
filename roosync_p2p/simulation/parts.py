"""What a simulated machine is built from: the real parts, or one of them spoilt on purpose (see ``mutants``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.simulation.preparation import SharedPreparation
from roosync_p2p.trust.directory import Directory

__all__ = ["Parts", "Prepare", "real_parts"]

Prepare = Callable[[bytes, Directory], Prepared]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Constructors of a machine's parts; those of the real node unless said otherwise."""

    prepare: Prepare
    outbox: Callable[[], Outbox] = Outbox
    core: Callable[..., NodeCore] = NodeCore


def real_parts() -> Parts:
    """The parts of the real node; machines of one world share what they have verified."""
    return Parts(prepare=SharedPreparation())
