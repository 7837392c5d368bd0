"""Reads disks and nodes of a world at the end of a run, and turns them into what the checkers take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import decode
from roosync_p2p.core import view
from roosync_p2p.core.folder.reading import BeaconRead, prepare_file
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.core.presence import read_heartbeat
from roosync_p2p.core.rows import EntryRow
from roosync_p2p.core.store_rules import IMPORTANT_BASE
from roosync_p2p.errors import PeerFault
from roosync_p2p.gossip.folder_paths import HeartbeatFile, heartbeat_path
from roosync_p2p.gossip.frontier import FrontierRecord, Span
from roosync_p2p.ids import LogIndex, MachineId
from roosync_p2p.ledger.register import register_of
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.mailbox.message import decode_message
from roosync_p2p.simulation import order_facts
from roosync_p2p.simulation.checkers.convergence import OrderView, View
from roosync_p2p.simulation.checkers.delivery import Delivered
from roosync_p2p.simulation.checkers.identity import Knowledge
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified, parse_envelope
from roosync_p2p.trust.keys import SigningKey

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = [
    "Disk",
    "excused",
    "frontier_of",
    "heartbeat_of",
    "inboxes",
    "knowledge",
    "rows",
    "signed",
    "signed_by",
    "views",
]


class Disk:
    """What a crash left behind, for comparing with what was told."""

    def __init__(self, member: Member) -> None:
        self._loaded = member.disk.load()
        self._disk = member.disk
        self._heads = {
            (str(row.author), row.incarnation, str(row.chain)): row.floor + len(row.ids) // 32 - 1
            for row in self._loaded.chains
        }
        self._ids = {
            row.ids[offset : offset + 32].hex() for row in self._loaded.chains for offset in range(0, len(row.ids), 32)
        }

    @property
    def start(self) -> int:
        """The start number on the disk."""
        return int.from_bytes(self._loaded.meta.get("start", b""), "big")

    def head(self, chain: tuple[str, int, str]) -> int:
        """Sequence of the newest entry of a chain."""
        return self._heads.get(chain, 0)

    def held(self, entry: str) -> bool:
        """Whether an entry is there."""
        return entry in self._ids


def heartbeat_of(envelope: bytes) -> Heartbeat:
    """The heartbeat in an envelope that a node of the world made."""
    return decode(parse_envelope(envelope, size_max=limits.HEARTBEAT_BYTES_MAX).payload, Heartbeat)


def frontier_of(record: Verified) -> list[Span]:
    """The spans of a frontier record; nothing for another record."""
    if record.context != contexts.FRONTIER:
        return []
    return decode(record.payload, FrontierRecord).spans


def signed_by(row: EntryRow, key: SigningKey) -> bool:
    """Whether an entry really carries that key's signature."""
    envelope = parse_envelope(row.header, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    try:
        key.public.verify(envelope.signature, envelope.signed_bytes())
    except PeerFault:
        return False
    return True


def key_of(row: EntryRow) -> bytes:
    """The key id by which an entry says that it is signed."""
    return parse_envelope(row.header, size_max=limits.ENTRY_HEADER_BYTES_MAX).key


def rows(member: Member) -> Iterator[EntryRow]:
    """Every entry of a chain on a disk."""
    for heads in member.disk.load().chains:
        yield from member.disk.entries(
            heads.author, heads.incarnation, heads.chain, heads.floor, count_max=100_000, bytes_max=1 << 40
        )


def reads_farewell(member: Member, machine: MachineId) -> bool:
    """Whether a machine's heartbeat file, as this member sees it in the shared folder, is a farewell."""
    data = None if member.folder is None else member.folder.files.get(heartbeat_path(machine))
    if data is None:
        return False
    try:
        read = prepare_file(HeartbeatFile(owner=machine), data, member.node().directory)
    except PeerFault:
        return False
    return isinstance(read, BeaconRead) and read_heartbeat(read.heartbeat).state == "leaving"


def signed(member: Member) -> list[tuple[str, str]]:
    """Everything signed on a disk: (description, identity)."""
    loaded = member.disk.load()
    found = [
        (f"entry {row.sequence} of {row.author} {row.chain}, kind {row.kind}", row.id.hex()) for row in rows(member)
    ]
    found += [(f"{record.kind} record of {record.author}", record.envelope.hex()) for record in loaded.records]
    found += [
        (f"{key.replace('.', ' of ')}", value.hex()) for key, value in loaded.meta.items() if key.startswith("vote.")
    ]
    for row in member.disk.log_items(LogIndex(1), order_facts.ALL_ITEMS, order_facts.ALL_ITEMS):
        voters = order_facts.voters_in(row)
        if voters is not None:
            found.append((f"voters in item {row.index}", voters.envelope.hex()))
    return found


def inboxes(members: Iterable[Member]) -> dict[tuple[str, str], list[Delivered]]:
    """The inboxes of these members, oldest arrival first."""
    return {(member.name, str(member.identity.machine)): _inbox(member) for member in members}


def _inbox(member: Member) -> list[Delivered]:
    found: list[Delivered] = []
    before: str | None = None
    while True:
        page = member.disk.inbox(InboxQuery(status="all", limit=limits.INBOX_PAGE_MAX, before=before))
        for item in page.items:
            row = member.disk.entry(item.message.entry)
            assert row is not None
            assert row.body is not None
            found.append(
                Delivered(
                    entry=row.id.hex(),
                    place=(str(row.author), row.incarnation, row.sequence),
                    workspace=item.delivery.workspace,
                    body=decode_message(row.body).body,
                    lane=IMPORTANT_BASE if item.message.priority in ("URGENT", "HIGH") else 0,
                )
            )
        before = page.next
        if before is None:
            return found[::-1]


def excused(world: World) -> set[str]:
    """Entries of the machine whose home was restored or copied, since then: lost, stranded or behind a fork.

    And what its node writes by itself: a restored store may not know that it wrote that before.
    """
    machine = world.homes.touched
    if machine is None:
        return set()
    acknowledged = {message.entry for message in world.watch.delivery.all()}
    held = {
        item.entry for inbox in inboxes(world.fleet.running()).values() for item in inbox if item.place[0] == machine
    }
    return world.watch.delivery.entries_since(machine, world.homes.since_s) | (held - acknowledged)


def _conflicts(member: Member) -> frozenset[str]:
    core = member.node()
    shown = set(core.forks.authors())
    now = member.clock.now()
    for machine in core.members():
        if core.presence.liveness.verdict(machine, now).state is State.CONFLICT:
            shown.add(machine)
    if core.authorship.phase.value in ("conflict", "waiting"):
        shown.add(core.me)
    return frozenset(str(machine) for machine in shown)


def knowledge(world: World) -> list[Knowledge]:
    """What every running member holds and shows."""
    return [
        Knowledge(
            member=member.name,
            entries={
                (str(row.author), row.incarnation, str(row.chain), row.sequence): row.id.hex() for row in rows(member)
            },
            conflicts=_conflicts(member),
        )
        for member in world.fleet.running()
    ]


def views(world: World) -> list[View]:
    """What every running member holds, without the chains of machines that somebody shows in conflict.

    Nor the records of those whose membership ended: whoever has not heard that they read of it keeps theirs.
    """
    members = world.fleet.running()
    conflicts = {member.name: _conflicts(member) for member in members}
    left_out = frozenset[str]().union(*conflicts.values())
    silent = left_out.union(*(_ended(member) for member in members))
    machines = frozenset(str(member.identity.machine) for member in members)
    ordered = world.voting.taking_part() if world.order_goes_on() else ()
    return [
        dataclasses.replace(
            _view(member, conflicts[member.name], left_out, silent, machines, ordered=member in ordered),
            split=world.watch.order.one_seat_twice,
        )
        for member in members
    ]


def _ended(member: Member) -> set[str]:
    members = register_of(member.node().commit.state, member.identity.root).members
    return {machine for machine, one in members.items() if one.ended}


def _view(
    member: Member,
    conflicts: frozenset[str],
    left_out: frozenset[str],
    silent: frozenset[str],
    machines: frozenset[str],
    *,
    ordered: bool,
) -> View:
    core = member.node()
    heads = {
        (span.author, span.incarnation, span.chain): (span.head, span.id.hex())
        for span in core.exchange.spans()
        if span.author not in left_out
    }
    records = sorted(
        (version.kind, version.author, version.subject, version.start, version.counter)
        for version in core.delivery.versions()
        if version.author not in silent
    )
    return View(
        member=member.name,
        heads=heads,
        records=sha256(repr(records).encode()).hex()[:16],
        state=_state(member),
        links=frozenset(str(peer) for peer in core.links.peers()),
        wanted=machines - {str(core.me)},
        conflicts=bool(conflicts),
        busy=_busy(member),
        order=_order(member) if ordered else None,
    )


def _order(member: Member) -> OrderView:
    commit = member.node().commit
    raft = commit.order.raft
    assert raft is not None
    return OrderView(
        number=commit.applier.number,
        digest=commit.state.digest.hex(),
        root=commit.applier.root.hex(),
        leader="" if commit.leader is None else str(commit.leader.machine),
        leads=commit.order.leads,
        undecided=raft.last_index - raft.commit,
    )


def _state(member: Member) -> str:
    return str(view.status(member.node())["state"])


def _busy(member: Member) -> tuple[str, ...]:
    core = member.node()
    busy = []
    if not member.idle:
        busy.append("rows wait for the disk")
    if core.exchange.reads_waiting:
        busy.append(f"{core.exchange.reads_waiting} reads are unanswered")
    if core.authorship.phase.value == "checking":
        busy.append("its start-up check goes on")
    if member.transport is not None and len(member.transport.endpoints) > len(core.links.peers()):
        busy.append(f"{len(member.transport.endpoints)} connections for {len(core.links.peers())} links")
    return tuple(busy)
