"""Somebody who controls what comes over a link, but no key of the fleet except those of machines it plays."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import TYPE_CHECKING

from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import encode
from roosync_p2p.core.memory_link import Endpoint
from roosync_p2p.core.wire import Beat, EntriesFrame, Fork, Frame, Lost, RecordFrame, WireEntry, encode_frame
from roosync_p2p.entries.entry import MAIL, write_entry
from roosync_p2p.gossip.frontier import FrontierRecord
from roosync_p2p.ids import ALL, EntryId, MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet_keys import BORN_S, FleetKeys
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope, seal
from roosync_p2p.trust.keys import SigningKey

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Adversary"]

PER_LINK_MAX = 3  # more bad frames would close the link, which is a fault of its own
FORGED_BODY = "a forged message"


class Adversary:
    """Forges, tampers and replays; knows everything that was ever on a wire."""

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._foreign = FleetKeys.make([MachineId(m) for m in world.machines], dice.entropy("foreign fleet"))
        self._stranger = SigningKey(dice.entropy("stranger").bytes(32))
        self._heartbeats: list[bytes] = []
        self._used: collections.Counter[tuple[str, int, int]] = collections.Counter()
        self.attacks: collections.Counter[str] = collections.Counter()

    def overheard(self, envelope: bytes) -> None:
        """A heartbeat was on a wire."""
        if len(self._heartbeats) < 500:
            self._heartbeats.append(envelope)

    def attack(self, victim: Member, dice: Dice) -> None:
        """One forged frame on one of the victim's links, if it has any."""
        if not victim.running or victim.paused or victim.transport is None:
            return
        core = victim.node()
        links = [link for peer in core.links.peers() if (link := core.links.primary(peer)) is not None]
        links = [link for link in links if self._used[victim.name, id(core), link.id] < PER_LINK_MAX]
        if not links:
            return
        link = dice.choose(links)
        name, forge = dice.choose(self._ways())
        frame = forge(victim, link.machine, dice)
        if frame is None:
            return
        endpoint: Endpoint | None = victim.transport.endpoints.get(link.id)
        if endpoint is not None:
            self._used[victim.name, id(core), link.id] += 1
            self.attacks[name] += 1
            self._world.watch.active["forgery"] += 1
            victim.inject(link.id, encode_frame(frame))

    def _ways(self) -> list[tuple[str, Callable[[Member, MachineId, Dice], Frame | None]]]:
        return [
            ("entry signed by a stranger", self._entry_of_stranger),
            ("entry signed by the peer in another's name", self._entry_by_peer),
            ("entry of another fleet", self._entry_of_other_fleet),
            ("tampered entry", self._tampered_entry),
            ("tampered body", self._tampered_body),
            ("replayed heartbeat", self._replayed_heartbeat),
            ("forged farewell", self._forged_farewell),
            ("forged frontier", self._forged_frontier),
            ("forged fork", self._forged_fork),
            ("loss of a stranger", self._lost_stranger),
        ]

    # --- forgeries ------------------------------------------------------------------------------------------------

    def _author(self, victim: Member, dice: Dice) -> MachineId:
        return dice.choose(sorted(m for m in victim.node().members() if m != victim.identity.machine))

    def _entry(self, victim: Member, author: MachineId, key: SigningKey, *, foreign: bool = False) -> Frame:
        """The very next entry of the author's mail chain, so that only its signature can speak against it."""
        rows = [row for row in victim.disk.load().chains if row.author == author and row.chain == MAIL]
        newest = max(rows, key=lambda row: row.incarnation, default=None)
        head = newest.floor + len(newest.ids) // 32 - 1 if newest is not None else 1
        previous = EntryId(newest.ids[-32:]) if newest is not None else EntryId(bytes(32))
        message = MessageBody(
            id="msg-20260115T000000-f0f0f0", to=[ALL], subject="forged", body=FORGED_BODY, priority="URGENT"
        )
        entry = write_entry(
            key,
            fleet=(self._foreign if foreign else self._world.fleet.keys).identities[author].fleet,
            author=author,
            incarnation=newest.incarnation if newest is not None else 1,
            chain=MAIL,
            sequence=head + 1,
            previous=previous,
            time_ms=BORN_S * 1000,
            kind=MESSAGE,
            body=encode(message),
        )
        header = self._with_key_of(author, entry.raw) if key is self._stranger else entry.raw
        return EntriesFrame(entries=[WireEntry(header=header, body=entry.body)])

    def _entry_of_stranger(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        return self._entry(victim, self._author(victim, dice), self._stranger)

    def _entry_by_peer(self, victim: Member, peer: MachineId, dice: Dice) -> Frame | None:
        author = self._author(victim, dice)
        if author == peer:
            return None
        return self._entry(victim, author, self._world.fleet.keys.identities[peer].key)

    def _entry_of_other_fleet(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        author = self._author(victim, dice)
        return self._entry(victim, author, self._foreign.identities[author].key, foreign=True)

    def _genuine_entry(self, victim: Member, dice: Dice) -> WireEntry | None:
        chains = victim.disk.load().chains
        if not chains:
            return None
        heads = dice.choose(chains)
        rows = victim.disk.entries(
            heads.author, heads.incarnation, heads.chain, heads.floor, count_max=64, bytes_max=1 << 20
        )
        row = dice.choose(rows)
        return WireEntry(header=row.header, body=row.body)

    def _tampered_entry(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        """One bit of what was signed is another; everything still parses."""
        entry = self._genuine_entry(victim, dice)
        if entry is None:
            return None
        envelope = parse_envelope(entry.header, size_max=1 << 16)
        payload = bytearray(envelope.payload)
        payload[dice.integer(0, len(payload) - 1)] ^= 1 << dice.integer(0, 7)
        value = {
            "a": envelope.author,
            "c": envelope.context,
            "f": envelope.fleet,
            "k": envelope.key,
            "p": bytes(payload),
            "s": envelope.signature,
        }
        return EntriesFrame(entries=[WireEntry(header=pack(value), body=entry.body)])

    def _tampered_body(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        entry = self._genuine_entry(victim, dice)
        if entry is None or not entry.body:
            return None
        return EntriesFrame(entries=[WireEntry(header=entry.header, body=entry.body[:-1] + b"\xff")])

    def _replayed_heartbeat(self, _victim: Member, peer: MachineId, dice: Dice) -> Frame | None:
        if not self._heartbeats:
            return None
        envelope = dice.choose(self._heartbeats)
        author = parse_envelope(envelope, size_max=1 << 16).author
        relayed = author != peer or dice.chance(0.5)
        return Beat(envelope=envelope, relayed=relayed)

    def _forged_farewell(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        author = self._author(victim, dice)
        heartbeat = Heartbeat(
            machine=author,
            start=99,
            boot=bytes(16),
            counter=9_999,
            wall_ms=victim.clock.now().wall_ms,
            interval_ms=1000,
            state="leaving",
        )
        envelope = seal(
            self._stranger,
            context=contexts.HEARTBEAT,
            fleet=victim.identity.fleet,
            author=author,
            payload=encode(heartbeat),
        )
        return Beat(envelope=self._with_key_of(author, envelope), relayed=True)

    def _forged_frontier(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        author = self._author(victim, dice)
        record = FrontierRecord(machine=author, start=99, counter=1, spans=victim.node().exchange.spans())
        envelope = seal(
            self._stranger,
            context=contexts.FRONTIER,
            fleet=victim.identity.fleet,
            author=author,
            payload=encode(record),
        )
        return RecordFrame(kind="frontier", envelope=self._with_key_of(author, envelope))

    def _forged_fork(self, victim: Member, _peer: MachineId, dice: Dice) -> Frame | None:
        """Evidence that would put an honest machine in conflict: one half genuine, one half made up."""
        genuine = self._genuine_entry(victim, dice)
        made_up = self._entry(victim, self._author(victim, dice), self._stranger)
        assert isinstance(made_up, EntriesFrame)
        return None if genuine is None else Fork(first=genuine.header, second=made_up.entries[0].header)

    def _lost_stranger(self, _victim: Member, _peer: MachineId, _dice: Dice) -> Frame | None:
        return Lost(machine="nobody-here", start=1)

    def _with_key_of(self, author: MachineId, envelope: bytes) -> bytes:
        """Claims the author's real key id, so that the signature itself has to be checked."""
        parsed = parse_envelope(envelope, size_max=1 << 16)
        return pack(
            {
                "a": parsed.author,
                "c": parsed.context,
                "f": parsed.fleet,
                "k": self._world.fleet.keys.identities[author].key.key_id,
                "p": parsed.payload,
                "s": parsed.signature,
            }
        )
