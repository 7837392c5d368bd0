"""Nodes that are broken on purpose, each in one way, so that it is known that the checkers would find it.

A mutant is a part of the node exchanged at construction, or a function exchanged while it is at work; nothing else
differs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from roosync_p2p.core.effects import Effect, Persist
from roosync_p2p.core.intake import Prepared, prepare
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.ids import KeyId
from roosync_p2p.simulation.folder_mutants import SPOILT_FOLDER
from roosync_p2p.simulation.order_mutants import SPOILT, Exchange
from roosync_p2p.simulation.parts import Parts, real_parts
from roosync_p2p.simulation.preparation import SharedPreparation
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.keys import PublicKey

__all__ = ["MUTANTS", "Mutant"]


class _CredulousKey(PublicKey):
    """Every signature fits."""

    __slots__ = ()

    def verify(self, signature: bytes, message: bytes) -> None:
        """Believes it."""


class _CredulousDirectory(Directory):
    """Knows the right keys, and checks nothing with them."""

    def key_of(self, author: str, key_id: KeyId, *, lasting: bool = False) -> PublicKey:
        """A key that accepts everything."""
        return _CredulousKey.from_raw(super().key_of(author, key_id, lasting=lasting).raw)


def _prepare_unchecked(data: bytes, directory: Directory) -> Prepared:
    return prepare(
        data,
        _CredulousDirectory(**{field.name: getattr(directory, field.name) for field in dataclasses.fields(directory)}),
    )


class _HastyOutbox(Outbox):
    """Sends and answers at once, and leaves the disk to itself."""

    def feed(self, effects: Iterable[Effect]) -> tuple[list[Persist], list[Effect]]:
        """Nothing waits."""
        drained = list(effects)
        persist = [effect for effect in drained if isinstance(effect, Persist)]
        return persist, [effect for effect in drained if not isinstance(effect, Persist)]


def _signature_check_off() -> Parts:
    return Parts(prepare=SharedPreparation(_prepare_unchecked))


def _send_before_persist() -> Parts:
    return Parts(prepare=SharedPreparation(), outbox=_HastyOutbox)


def _startup_check_off() -> Parts:
    return Parts(prepare=SharedPreparation(), core=functools.partial(NodeCore, startup_check=False))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One broken node.

    Attributes:
        parts: what it is built from.
        exchanged: what stands in the place of functions of the node.
    """

    parts: Callable[[], Parts] = real_parts
    exchanged: tuple[Exchange, ...] = ()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Parts]:
        """Nodes that are built and run within are broken; all of them in this process."""
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in self.exchanged]
        for owner, name, spoilt in self.exchanged:
            setattr(owner, name, spoilt)
        try:
            yield self.parts()
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)


MUTANTS: Final[dict[str, Mutant]] = {
    "signature-check-off": Mutant(parts=_signature_check_off),
    "send-before-persist": Mutant(parts=_send_before_persist),
    "startup-check-off": Mutant(parts=_startup_check_off),
    **{name: Mutant(exchanged=exchanged) for name, exchanged in {**SPOILT, **SPOILT_FOLDER}.items()},
}
