"""One small fleet, the same in every run: keys from words, fixed times and serial numbers. Nothing on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Final

import pytest

from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import fleet_id_of, issuer_certificate, machine_certificate, root_certificate
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.keys import SigningKey

__all__ = ["NOW_S", "ExampleFleet", "accepted_or_documented", "key_from", "refused_with"]

NOW_S: Final = 1_768_467_330  # 2026-01-15T08:55:30Z
_FOUNDER: Final = MachineId("myia-ai-01")


def key_from(word: str) -> SigningKey:
    """A key that is as good as published."""
    return SigningKey(hashlib.sha256(f"example key: {word}".encode()).digest())


def refused_with(code: str, action: Callable[[], object]) -> PeerFault:
    """The documented error of an action, which has the given code."""
    with pytest.raises(PeerFault) as caught:
        action()
    assert caught.value.code == code
    return caught.value


def accepted_or_documented(action: Callable[[], object]) -> None:
    """Runs a parser on anything: it accepts, or raises an error of the tree. Every other exception fails the test."""
    with contextlib.suppress(PeerFault):
        action()


@dataclasses.dataclass(frozen=True)
class ExampleFleet:
    """Root, one issuer on ``myia-ai-01``, and machines made on demand."""

    name: str = "Écurie"

    @functools.cached_property
    def root_key(self) -> SigningKey:
        return key_from(f"{self.name} root")

    @functools.cached_property
    def issuer_key(self) -> SigningKey:
        return key_from(f"{self.name} issuer")

    @functools.cached_property
    def root(self) -> bytes:
        return root_certificate(self.root_key, fleet_name=self.name, serial=1, now_s=NOW_S)

    @functools.cached_property
    def fleet(self) -> FleetId:
        return fleet_id_of(self.root)

    @functools.cached_property
    def issuer(self) -> bytes:
        return issuer_certificate(
            self.root_key, self.root, self.issuer_key.public, machine=_FOUNDER, serial=2, now_s=NOW_S
        )

    def key(self, machine: str) -> SigningKey:
        return key_from(f"{self.name} {machine}")

    def leaf(self, machine: str, *, key: SigningKey | None = None, now_s: int = NOW_S) -> bytes:
        return machine_certificate(
            self.issuer_key,
            self.issuer,
            (key or self.key(machine)).public,
            machine=MachineId(machine),
            fleet=self.fleet,
            serial=3,
            now_s=now_s,
        )

    def directory(self, *machines: str) -> Directory:
        directory = Directory.found(self.root)
        for machine in machines:
            directory = directory.with_chain(self.leaf(machine), self.issuer)
        return directory
