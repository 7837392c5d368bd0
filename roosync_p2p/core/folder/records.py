"""What is signed for the shared folder alone (docs/protocol/folder.md §4): the heartbeat file and runs of the log.

Everything else there is signed already: entries by their authors, certificates by the fleet's root and issuers.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode
from roosync_p2p.errors import MalformedError, UntrustedError
from roosync_p2p.gossip.probes import Echo
from roosync_p2p.ids import MachineId, parse_machine_id
from roosync_p2p.trust.envelopes import Verified

__all__ = ["NONCE_BYTES", "Beacon", "Papers", "RevocationList", "RunRecord", "read_beacon", "read_run"]

NONCE_BYTES: Final = 16
_Nonce = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class Beacon(Record, frozen=True, kw_only=True):
    """A machine's heartbeat file; the newest by (start, counter) counts.

    Attributes:
        machine: whose.
        start: start number of its node.
        boot: of that start.
        counter: of these files within the start.
        cadence_ms: the next one is written within this.
        nonce: fresh for this file: the probe.
        heartbeat: its newest heartbeat, as it was sent over links too.
        frontier: its newest signed frontier; empty before the first.
        sessions: its newest signed list of sessions, the same.
        floors: its signed floors, of its newest lives.
        echoes: (machine, nonce, ms since it was first seen) of the others' newest files.
    """

    machine: str
    start: int
    boot: _Nonce
    counter: int
    cadence_ms: int
    nonce: _Nonce
    heartbeat: bytes
    frontier: bytes = b""
    sessions: bytes = b""
    floors: list[bytes] = []  # noqa: RUF012 - msgspec copies it for each
    echoes: list[tuple[str, bytes, int]] = []  # noqa: RUF012 - msgspec copies it for each

    def echo_of(self, machine: MachineId) -> Echo | None:
        """What it says about a machine's probe."""
        for named, nonce, held_ms in self.echoes:
            if named == machine:
                return Echo(machine=machine, nonce=nonce, held_ms=held_ms)
        return None


class RunRecord(Record, frozen=True, kw_only=True):
    """A run of committed items, by the word of the machine in whose folder it lies, as on a link.

    Attributes:
        machine: whose word.
        frame: a ``committed`` frame.
        epochs: an ``epochs`` frame with the statements that lead to its epoch; empty in epoch 0.
    """

    machine: str
    frame: bytes
    epochs: bytes = b""


class Papers(Record, frozen=True, kw_only=True):
    """A machine's certificate and its issuer's, DER; they prove themselves."""

    leaf: bytes
    issuer: bytes


class RevocationList(Record, frozen=True, kw_only=True):
    """The revocations that a machine knows, each signed by who may say it; and the rotations, each by its old key."""

    statements: list[bytes]
    rotations: tuple[bytes, ...] = ()


def read_beacon(verified: Verified) -> Beacon:
    """The heartbeat file in a verified envelope.

    Raises:
        MalformedError: it breaks its schema or bounds.
        UntrustedError: it names another machine than its signer.
    """
    beacon = decode(verified.payload, Beacon, size_max=limits.FOLDER_BEACON_BYTES_MAX)
    if beacon.machine != verified.author:
        raise UntrustedError("a heartbeat file names another machine than its signer", code="wrong_source")
    numbers = (beacon.start, beacon.counter, *(held_ms for _, _, held_ms in beacon.echoes))
    cadence_max_ms = limits.FOLDER_CADENCE_REST_S * 1000
    if not all(0 <= number <= limits.NUMBER_MAX for number in numbers) or not 0 < beacon.cadence_ms <= cadence_max_ms:
        raise MalformedError(f"a heartbeat file of {beacon.machine} has an impossible number", code="bad_field")
    if len(beacon.echoes) > limits.FOLDER_MACHINES_MAX:
        raise MalformedError(f"a heartbeat file of {beacon.machine} echoes too many", code="oversized")
    for machine, nonce, _ in beacon.echoes:
        if parse_machine_id(machine) != machine or len(nonce) != NONCE_BYTES:
            raise MalformedError(f"a heartbeat file of {beacon.machine} has an impossible echo", code="bad_field")
    return beacon


def read_run(verified: Verified) -> RunRecord:
    """The run in a verified envelope.

    Raises:
        MalformedError: it breaks its schema.
        UntrustedError: it names another machine than its signer.
    """
    run = decode(verified.payload, RunRecord)
    if run.machine != verified.author:
        raise UntrustedError("a run of the log names another machine than its signer", code="wrong_source")
    return run
