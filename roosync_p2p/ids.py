"""Names of things: machines, fleets, entries, messages, addresses.

Each is a distinct type with one parser. A parser takes what a person or a peer wrote and returns the canonical form;
behind the gate the values are trusted.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import Final, NewType

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError

__all__ = [
    "ALL",
    "DEVICE_NAMES",
    "Address",
    "BootId",
    "Chain",
    "CommitNumber",
    "EntryId",
    "Epoch",
    "FleetId",
    "KeyId",
    "LogIndex",
    "MachineId",
    "MessageId",
    "StoreId",
    "Term",
    "format_message_id",
    "parse_address",
    "parse_fleet_id",
    "parse_machine_id",
    "parse_message_id",
    "parse_workspace",
]

MachineId = NewType("MachineId", str)
FleetId = NewType("FleetId", bytes)  # 32 bytes: SHA-256 of the root's SubjectPublicKeyInfo
KeyId = NewType("KeyId", bytes)  # 32 bytes: SHA-256 of a key's SubjectPublicKeyInfo
EntryId = NewType("EntryId", bytes)  # 32 bytes: SHA-256 of what the author signed
BootId = NewType("BootId", bytes)  # 16 random bytes, fresh at each start
StoreId = NewType("StoreId", bytes)  # 16 random bytes, fresh for each life of a store
MessageId = NewType("MessageId", str)
Chain = NewType("Chain", str)  # "ledger" or "mail"
Term = NewType("Term", int)  # of a leader (Raft §5.1)
LogIndex = NewType("LogIndex", int)  # place of an item in the replicated log, from 1; 0 is before the first
CommitNumber = NewType("CommitNumber", int)  # place of an entry in the one order of the fleet, from 1
Epoch = NewType("Epoch", int)  # of the commit log: one more for each recovery by the root's statement

ALL: Final = "all"

_MACHINE = re.compile(r"[a-z0-9][a-z0-9_-]{2,49}")
_RESERVED: Final = frozenset(
    "all any system heartbeat archive localhost local test demo admin root".split()  # noqa: SIM905 - a word list
)
DEVICE_NAMES: Final = frozenset(  # no file can be called so on Windows, whatever its suffix
    ["con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))]
)
_MESSAGE = re.compile(r"msg-[0-9]{8}T[0-9]{6}-[a-z0-9]{1,32}")
_WORKSPACE_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")


def parse_machine_id(text: str) -> MachineId:
    """A machine id in canonical (lower case) form.

    Raises:
        MalformedError: it does not have the form of one, or is a reserved word or device name.
    """
    lowered = text.strip().lower()
    if not _MACHINE.fullmatch(lowered):
        raise MalformedError(
            f"{text[:60]!r} is not a machine id: 3 to 50 of a-z, 0-9, - and _, beginning with a letter or digit",
            code="bad_machine_id",
        )
    if lowered in _RESERVED or lowered in DEVICE_NAMES:
        raise MalformedError(f"{lowered!r} is a reserved word and cannot name a machine", code="bad_machine_id")
    return MachineId(lowered)


def parse_fleet_id(text: str) -> FleetId:
    """A fleet id from its 64 hexadecimal digits.

    Raises:
        MalformedError: it is not that.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise MalformedError("a fleet id is 64 hexadecimal digits", code="bad_fleet_id")
    return FleetId(bytes.fromhex(text))


def parse_workspace(text: str) -> str:
    """A workspace name: any text without control characters, compared as it is.

    Raises:
        MalformedError: empty, too long, or with control characters.
    """
    if not text or len(text) > limits.WORKSPACE_CHARS_MAX or _WORKSPACE_FORBIDDEN.search(text):
        raise MalformedError(
            f"a workspace is 1 to {limits.WORKSPACE_CHARS_MAX} characters without control characters",
            code="bad_workspace",
        )
    return text


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Address:
    """To whom a message goes: a machine or everybody, and perhaps one workspace there."""

    machine: str  # a MachineId, or ALL
    workspace: str | None = None

    def __str__(self) -> str:
        return self.machine if self.workspace is None else f"{self.machine}:{self.workspace}"

    def reaches(self, machine: MachineId) -> bool:
        """Whether a message to this address belongs into that machine's inbox."""
        return self.machine in (ALL, machine)


def parse_address(text: str) -> Address:
    """``machine``, ``machine:workspace``, ``all:workspace`` or ``all``.

    Raises:
        MalformedError: not such an address.
    """
    head, colon, workspace = text.strip().partition(":")
    machine: str = ALL if head.strip().lower() == ALL else parse_machine_id(head)
    return Address(machine, parse_workspace(workspace) if colon else None)


def format_message_id(wall_ms: int, random: bytes) -> MessageId:
    """``msg-20260115T091530-a1b2c3``: the form of RooSync v2.3; the time is the sender's, in UTC."""
    moment = dt.datetime.fromtimestamp(wall_ms / 1000, tz=dt.UTC)
    return MessageId(f"msg-{moment:%Y%m%dT%H%M%S}-{random[:3].hex()}")


def parse_message_id(text: str) -> MessageId:
    """A message id as users and old clients write it.

    Raises:
        MalformedError: it does not have that form.
    """
    if not _MESSAGE.fullmatch(text):
        raise MalformedError(
            f"{text[:60]!r} is not a message id; one looks like msg-20260115T091530-a1b2c3", code="bad_message_id"
        )
    return MessageId(text)
