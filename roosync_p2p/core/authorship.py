"""This machine's own chains, and whether it may write to them (docs/protocol/entries.md §3).

A store that was restored, copied or rolled back must not go on as if nothing had happened. So a node asks everybody it
can reach for the newest that they hold of *itself*, and writes nothing before it has the answers. If somebody shows,
with this machine's own signature, more than the disk holds, the node begins a new incarnation, and an issuer has to
countersign that.

    checking ──── nobody shows more ────▶ ready
        │                                  │ more turns up, and nothing was written yet
        └── somebody shows more ──▶ waiting ◀┘     (waits for a countersignature)
                                      │ countersigned ▶ ready
    any ── two stores were written under one identity ──▶ conflict   (until a person settles it)
    any ── this machine's key was revoked ──▶ revoked
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.consensus.writes import HardState
from roosync_p2p.core.commit.votes import VoteRecord
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.rows import EntryRow, MetaRow
from roosync_p2p.entries.chains import ChainKey, Chains
from roosync_p2p.entries.entry import CHAIN_START, LEDGER, MAIL, Entry, write_entry
from roosync_p2p.entries.incarnations import ChainStart, Known, Renewal, open_countersignature
from roosync_p2p.errors import InputFault, UntrustedError
from roosync_p2p.ids import Chain, MachineId, StoreId

__all__ = ["CONFLICT_REMEDY", "OUT_REMEDY", "Authorship", "Phase"]

_INT_BYTES = 8
CONFLICT_REMEDY = (
    "stop the other copy of this home, then restart this node with `roosync down` and `roosync up`;"
    " if it says so again, an issuer settles the fork: roosync-admin settle"
)

OUT_REMEDY = (
    "stop this node and remove this home: the machine's other home goes on;"
    " if there is none any more, an issuer revokes the machine and invites it again"
)


class Phase(enum.Enum):
    """Whether this machine may write to its chains."""

    CHECKING = "checking"
    READY = "ready"
    WAITING = "waiting"
    CONFLICT = "conflict"
    REVOKED = "revoked"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    store: StoreId
    incarnation: int


class Authorship:
    """Writes this machine's entries, once it may.

    ``voted`` and ``applied``: the newest vote, and epoch and number of the newest commit, of this store, as it knows
    them itself. ``has_vote``: whether that store is a voter, as far as this disk knows. ``beside``: whether an entry
    may be of a branch that was dropped. ``out``: this machine's fork was settled for another branch than this store's.
    """

    def __init__(
        self,
        desk: Desk,
        chains: Chains,
        meta: Mapping[str, bytes],
        *,
        voted: Callable[[], HardState],
        applied: Callable[[], tuple[int, int]],
        has_vote: Callable[[StoreId], bool],
        check: bool = True,
    ) -> None:
        self.beside: Callable[[Entry], bool] = lambda _entry: False
        self.out = False
        self._voted = voted
        self._has_vote = has_vote
        self._applied = applied
        self._desk = desk
        self._chains = chains
        stored = meta.get("store")
        fresh = stored is None
        self._life = _Life(
            store=StoreId(stored if stored is not None else desk.entropy.bytes(16)),
            incarnation=_int(meta.get("incarnation"), 1),
        )
        self._disk_start = _int(meta.get("start"), 0)
        self.start = self._disk_start + 1
        self._renewal = decode(meta["renewal"], Renewal) if "renewal" in meta else None
        self._newest: dict[Chain, Known] = self._newest_known()
        self._more_shown = self._renewal is not None
        self._taken, self._lost_before = 0, False  # the newest incarnation of which anything was shown, counting or not
        self._wrote = False
        self._written: list[tuple[Entry, Ticket]] = []
        self._check = check
        self._asked: set[MachineId] = set()
        self._answered: set[MachineId] = set()
        self._deadline: float | None = None
        self.phase = Phase.CHECKING
        self.reason = "asking the others what they hold of this machine"
        rows = [MetaRow(key="start", value=_bytes(self.start))]
        if fresh:
            rows += [MetaRow(key="store", value=self._life.store), MetaRow(key="incarnation", value=_bytes(1))]
        self.started = desk.persist(*rows)

    @property
    def incarnation(self) -> int:
        """The incarnation that this machine writes, or wrote last."""
        return self._life.incarnation

    @property
    def store(self) -> StoreId:
        """The id of this life of the store."""
        return self._life.store

    @property
    def renewal(self) -> Renewal | None:
        """What an issuer has to countersign; None unless WAITING."""
        return self._renewal if self.phase is Phase.WAITING else None

    def head(self, chain: Chain) -> int:
        """Sequence of the newest own entry."""
        return self._chains.state(self._key(chain)).head

    def newest(self, chain: Chain) -> Known | None:
        """The newest own entry of this life; None if there is none."""
        state = self._chains.state(self._key(chain))
        head_id = state.head_id
        return None if head_id is None else Known(incarnation=self.incarnation, sequence=state.head, id=head_id)

    # --- the start-up check ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts the check; the clock of its bound runs from here."""
        self._deadline = self._desk.now.monotonic_s + limits.STARTUP_CHECK_S

    def to_ask(self, machine: MachineId) -> bool:
        """Whether that machine, just linked, is to be asked what it holds of this one.

        Also after the check: who comes later may be the only one who holds what this disk lost.
        """
        self._asked.add(machine)
        late = self.phase is Phase.READY and machine not in self._answered
        return self._check and (late or self.phase in (Phase.CHECKING, Phase.WAITING))

    def shown(self, by: MachineId, entries: Iterable[Entry], start: int | None) -> None:
        """What a peer holds of this machine: verified headers and the start number of a verified heartbeat."""
        self._answered.add(by)
        more = [entry for entry in entries if entry.author == self._desk.me and self._consider(entry)]
        if start is not None:
            self.start_shown(start)
        if self.phase is Phase.WAITING or (more and self.phase is Phase.READY and not self._wrote):
            self._renew()
        elif more and self.phase is Phase.READY:
            header = more[0].header
            self.conflict(f"somebody else wrote entries of this machine ({header.chain} {header.sequence})")

    def vote_shown(self, vote: VoteRecord) -> None:
        """A vote that this machine signed, shown by the one who got it.

        One of this store in a later term than the disk knows, or another one in that term, proves that the disk lost
        something: voting again would be voting twice (docs/protocol/ordering.md §6).
        """
        mine = self._voted()
        of_mine = (mine.epoch, mine.term)
        candidate = None if mine.vote is None else (str(mine.vote.machine), bytes(mine.vote.store))
        other = of_mine == (vote.epoch, vote.term) and candidate != (vote.candidate, vote.candidate_store)
        if vote.store == self._life.store and ((vote.epoch, vote.term) > of_mine or other):
            self._lost_shown()

    def commits_shown(self, epoch: int, size: int) -> None:
        """How many commits, of which epoch, a heartbeat of this store says that it had applied, durably."""
        if (epoch, size) > self._applied():
            self._lost_shown()

    def _lost_shown(self) -> None:
        """Something that this machine signed is not on its disk."""
        self._more_shown = True
        if self.phase is Phase.READY and not self._wrote:
            self._renew()
        elif self.phase is Phase.READY:
            self.conflict("somebody else voted or applied commits as this machine")

    def follows_lost(self, counts: Mapping[Chain, Known | None]) -> None:
        """This store takes the place of one that was lost with its key (docs/protocol/trust.md §11).

        Whatever anybody shows, it begins a new life behind what counts of the former one: others hold more.
        """
        known = {chain: last for chain, last in counts.items() if last is not None}
        if self._life.incarnation > max((last.incarnation for last in known.values()), default=1):
            return  # it has begun
        for chain, last in known.items():
            if chain not in self._newest or _place(last) > _place(self._newest[chain]):
                self._newest[chain] = last
        self._lost_before = True
        self._lost_shown()

    def incarnation_shown(self, incarnation: int) -> None:
        """Something was begun in that incarnation, by whomever: this machine's next one lies behind it."""
        self._taken = max(self._taken, incarnation)

    def start_shown(self, start: int) -> None:
        """The start number of a heartbeat that this machine signed, in another start than this one."""
        if start <= self._disk_start or start < self.start:
            return
        if self.phase is Phase.READY and self._wrote:
            self.conflict(f"another store ran as this machine, in start {start}: it was restored, or a copy of it runs")
            return
        self._more_shown = True
        self.start = start + 1
        self.started = self._desk.persist(MetaRow(key="start", value=_bytes(self.start)))
        if self.phase is Phase.READY:
            self._renew()

    def tick(self, *, others: Iterable[MachineId], reachable: frozenset[str]) -> bool:
        """Ends the check when it can end; whether the phase changed.

        ``others``: the other members. ``reachable``: who may still answer.
        """
        if self.phase is not Phase.CHECKING or self._deadline is None:
            return False
        waiting = [machine for machine in others if machine not in self._answered and machine in reachable]
        unknown = [target for target in reachable if target.startswith("@")]
        nowhere = [machine for machine in others if machine not in self._answered and machine not in reachable]
        now_s = self._desk.now.monotonic_s
        over = now_s >= self._deadline or not self._check
        # Addresses come from settings and mDNS in a moment: for a member that answers nowhere so far, and for a home
        # whose store was lost, which knows nobody at first.
        began_s = self._deadline - limits.STARTUP_CHECK_S
        early = (nowhere or not self._asked) and now_s < began_s + limits.STARTUP_ALONE_S
        # Where the power failed for all, they come back together. A vote that went to one of them must not be used.
        voting = nowhere and self._has_vote(self._life.store)
        if not over and (waiting or unknown or early or voting):
            return False
        self._finish_check()
        return True

    def next_deadline(self) -> float | None:
        """When the check ends at the latest (monotonic seconds)."""
        return self._deadline if self.phase is Phase.CHECKING else None

    def _finish_check(self) -> None:
        if self._more_shown:
            self._renew()
            return
        self._become_ready()

    def _consider(self, entry: Entry) -> bool:
        """Takes an own entry into account; whether it proves that this store lost something."""
        header = entry.header
        place = (header.incarnation, header.sequence)
        if self.beside(entry):
            return False
        if header.incarnation == self._life.incarnation:
            held = self._chains.state(entry.place).id_at(header.sequence)
            if held is not None and held != entry.id:
                self.conflict(f"another store wrote entry {header.sequence} of the {header.chain} chain too")
                return False
        known = self._newest.get(entry.chain)
        if known is None or place > (known.incarnation, known.sequence):
            self._newest[entry.chain] = Known(incarnation=header.incarnation, sequence=header.sequence, id=entry.id)
        head = self._chains.state(self._key(entry.chain)).head
        more = place > (self._life.incarnation, head)
        self._more_shown |= more
        return more

    # --- more turns up later --------------------------------------------------------------------------------------

    def surfaced(self, entry: Entry) -> bool:
        """An own entry came from elsewhere; whether it may simply be kept (it belongs to an earlier life).

        In the present life only this store writes: what it did not write, a copy of it did, or the disk lost it.
        """
        header = entry.header
        state = self._chains.state(entry.place)
        held = state.id_at(header.sequence)
        if header.incarnation < self._life.incarnation or held == entry.id or header.sequence < state.floor:
            return True
        if self.phase in (Phase.CONFLICT, Phase.REVOKED) or self.beside(entry):
            return False
        if self._renewal is not None:
            self._consider(entry)  # what the disk lost comes back; the new life begins behind it
            if self.phase is Phase.WAITING:
                self._renew()
            return True
        if self._wrote:
            self.conflict(f"somebody else writes entries of this machine ({header.chain} {header.sequence})")
            return False
        self._consider(entry)
        if self.phase is Phase.CHECKING:
            # Kept once it is on disk that a new life has to begin: after a crash now it would pass for this store's.
            return False
        self._renew()
        return header.incarnation == self._life.incarnation

    def conflict(self, reason: str) -> None:
        """Two stores were written under one identity: stop writing until a person settles it."""
        if self.phase in (Phase.CONFLICT, Phase.REVOKED):
            return
        self.phase = Phase.CONFLICT
        self.reason = reason
        self._desk.notify("identity", {"phase": self.phase.value, "reason": reason})

    def settled(self, *, out: str) -> None:
        """The forks of this machine were settled. ``out`` says why its store is the copy; empty if it is not.

        A store that was there twice may have voted twice: what is kept goes on under a new store id, in a new life.
        """
        self.out = bool(out)
        if self.out:
            self.phase, self.reason = Phase.CONFLICT, out
            self._desk.notify("identity", {"phase": self.phase.value, "reason": out})
            return
        self._renewal, self._wrote, self._more_shown = None, False, True
        self._newest = self._newest_known()
        self.phase = Phase.CHECKING
        self._renew()  # on the disk at once: whatever happens, this life is over
        # Asked anew, and under a new start number: what a copy signed of both lies behind.
        self.phase, self.reason = (
            Phase.CHECKING,
            "its fork was settled: asking the others what they hold of this machine",
        )
        self._disk_start, self.start = self.start, self.start + 1
        self.started = self._desk.persist(MetaRow(key="start", value=_bytes(self.start)))
        self._answered.clear()
        self.begin()

    def revoked(self, reason: str) -> None:
        """This machine's key was revoked: it is out, and writes nothing more."""
        if self.phase is not Phase.REVOKED:
            self.phase = Phase.REVOKED
            self.reason = reason
            self._desk.notify("identity", {"phase": self.phase.value, "reason": reason})

    # --- a new life -----------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        """Asks for a new incarnation behind everything that is known; survives a restart."""
        if self.phase in (Phase.CONFLICT, Phase.REVOKED):
            return
        newest = max((known.incarnation for known in self._newest.values()), default=self._life.incarnation)
        store = self._renewal.store if self._renewal is not None else self._desk.entropy.bytes(16)
        renewal = Renewal(
            machine=self._desk.me,
            incarnation=max(newest, self._life.incarnation, self._taken) + 1,
            store=store,
            ledger=self._newest.get(LEDGER),
            mail=self._newest.get(MAIL),
        )
        changed = renewal != self._renewal
        self._renewal = renewal
        if changed:
            self._desk.persist(MetaRow(key="renewal", value=encode(renewal)))
        if self.phase is not Phase.WAITING:
            self.phase = Phase.WAITING
            lost = "this machine's key was lost, and its store with it"
            more = "the others hold newer entries of this machine than its disk: it was restored, copied or rolled back"
            self.reason = f"{lost if self._lost_before else more}; an issuer has to countersign its new beginning"
            self._desk.notify("identity", {"phase": self.phase.value, "reason": self.reason})

    def countersigned(self, envelope: bytes) -> None:
        """An issuer's countersignature came: the new life begins.

        Raises:
            PeerFault: it is not one, or for another beginning than this node asked for.
        """
        renewal = open_countersignature(envelope, self._desk.directory)
        if self.phase is not Phase.WAITING or renewal != self._renewal:
            raise UntrustedError(
                "the countersignature is for another beginning than the one asked for", code="other_renewal"
            )
        self._life = _Life(store=StoreId(renewal.store), incarnation=renewal.incarnation)
        self._renewal = None
        self._desk.persist(
            MetaRow(key="store", value=renewal.store),
            MetaRow(key="incarnation", value=_bytes(renewal.incarnation)),
            MetaRow(key="renewal", value=None),
        )
        self._begin_chains(renewal, envelope)
        self._become_ready()

    def _become_ready(self) -> None:
        self.phase = Phase.READY
        self.reason = ""
        if self._life.incarnation == 1:
            self._begin_chains(None, None)
        self._desk.notify("identity", {"phase": self.phase.value, "incarnation": self._life.incarnation, "reason": ""})

    def _begin_chains(self, renewal: Renewal | None, envelope: bytes | None) -> None:
        for chain in (LEDGER, MAIL):
            if self.head(chain) > 0:
                continue
            start = ChainStart(
                leaf=self._desk.identity.leaf,
                issuer=self._desk.identity.issuer,
                store=self._life.store,
                previous=renewal.last(chain) if renewal is not None else None,
                countersignature=envelope,
            )
            self._append(chain, CHAIN_START, encode(start))

    # --- writing --------------------------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Returns if entries may be written now.

        Raises:
            InputFault: not yet, or not any more; says why and what helps.
        """
        if self.phase is Phase.READY:
            return
        remedies = {
            Phase.CHECKING: "try again in a few seconds",
            Phase.WAITING: "start a node that is an issuer, or run roosync-admin countersign with the root key",
            Phase.REVOKED: "a machine that returns takes a new key: a new home, and a new invite",
            Phase.CONFLICT: OUT_REMEDY if self.out else CONFLICT_REMEDY,
        }
        raise InputFault(
            f"this machine writes nothing now: {self.reason}; nothing was sent",
            code=f"not_writing_{self.phase.value}",
            remedy=remedies.get(self.phase, ""),
        )

    def append(self, chain: Chain, kind: str, body: bytes) -> tuple[Entry, Ticket]:
        """Writes one entry to an own chain: signed, and on its way to the disk under the ticket.

        Raises:
            InputFault: this machine must not write now.
            MalformedError: the body is too large.
        """
        self.check_writable()
        return self._append(chain, kind, body)

    def written(self) -> list[tuple[Entry, Ticket]]:
        """The entries that were written since the last call, in order."""
        written, self._written = self._written, []
        return written

    def _append(self, chain: Chain, kind: str, body: bytes) -> tuple[Entry, Ticket]:
        state = self._chains.state(self._key(chain))
        entry = write_entry(
            self._desk.identity.key,
            fleet=self._desk.identity.fleet,
            author=self._desk.me,
            incarnation=self._life.incarnation,
            chain=chain,
            sequence=state.head + 1,
            previous=state.head_id,
            time_ms=self._desk.now.wall_ms,
            kind=kind,
            body=body,
        )
        self._chains.append(entry)
        self._wrote = True
        ticket = self._desk.persist(EntryRow.of(entry, self._desk.now.wall_ms))
        self._written.append((entry, ticket))
        return entry, ticket

    def _key(self, chain: Chain) -> ChainKey:
        return self._desk.me, self._life.incarnation, chain

    def _newest_known(self) -> dict[Chain, Known]:
        """What the disk holds of each chain, or what was shown beyond that before a restart."""
        newest: dict[Chain, Known] = {}
        for key, state in self._chains.states.items():
            author, incarnation, chain = key
            head_id = state.head_id
            if author != self._desk.me or head_id is None:
                continue
            if chain not in newest or incarnation > newest[chain].incarnation:
                newest[chain] = Known(incarnation=incarnation, sequence=state.head, id=head_id)
        if self._renewal is None:
            return newest
        for chain in (LEDGER, MAIL):
            shown, held = self._renewal.last(chain), newest.get(chain)
            if shown is not None and (held is None or _place(shown) > _place(held)):
                newest[chain] = shown
        return newest


def _place(known: Known) -> tuple[int, int]:
    return known.incarnation, known.sequence


def _int(data: bytes | None, default: int) -> int:
    return default if data is None else int.from_bytes(data, "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes(_INT_BYTES, "big")
