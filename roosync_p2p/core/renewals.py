"""New incarnations: asked of an issuer, and countersigned by one (docs/protocol/entries.md §3).

An issuer countersigns by itself, if nobody could object: the machine asks over its own link, is not in conflict, knows
how its forks were settled, no other run of it lives, it names the newest that this issuer holds, and asks for the next
incarnation. It never countersigns two stores for one incarnation: the second one to ask is a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.forks import Forks
from roosync_p2p.core.links import Links
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.core.wire import Countersigned, OwnQuery, RenewalRequest
from roosync_p2p.entries.chains import ChainKey, Chains
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.entries.incarnations import Renewal, check_renewal, countersign
from roosync_p2p.errors import ConflictError, InputFault, PeerFault, StaleError, UntrustedError
from roosync_p2p.ids import Chain, MachineId
from roosync_p2p.trust.directory import issuer_author

__all__ = ["Renewals"]

ASK_INTERVAL_S: Final = 2.0  # a waiting node asks the linked issuers this often
_PREFIX: Final = "countersigned."


class Renewals:
    """Both sides of a countersignature. ``cut``: from which entry on a chain does not count, though it is held here."""

    def __init__(
        self,
        desk: Desk,
        links: Links,
        chains: Chains,
        forks: Forks,
        authorship: Authorship,
        meta: Mapping[str, bytes],
        *,
        alive_elsewhere: Callable[[MachineId], bool],
        cut: Callable[[ChainKey], int | None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._chains = chains
        self._forks = forks
        self._authorship = authorship
        self._alive_elsewhere = alive_elsewhere
        self._cut = cut
        self._signed = {key: value for key, value in meta.items() if key.startswith(_PREFIX)}
        self._ask_at: float | None = None
        self.refusal = ""

    # --- asking ---------------------------------------------------------------------------------------------------

    def waiting_for(self) -> list[MachineId]:
        """Issuers that could countersign for this machine; empty if only the root can."""
        issuers = {issuer.machine for issuer in self._desk.directory.issuers.values()}
        return sorted(issuers - {self._desk.me})

    def next_deadline(self) -> float | None:
        """When the issuers are asked (again), in monotonic seconds."""
        if self._authorship.renewal is None:
            return None
        return self._desk.now.monotonic_s if self._ask_at is None else self._ask_at

    def tick(self) -> None:
        """Asks the linked issuers, if it is time."""
        renewal = self._authorship.renewal
        due = self.next_deadline()
        if renewal is None or due is None or due > self._desk.now.monotonic_s:
            return
        self._ask_at = self._desk.now.monotonic_s + ASK_INTERVAL_S
        request = RenewalRequest(renewal=encode(renewal), settled=self._forks.settlements(self._desk.me))
        for machine in self.waiting_for():
            if self._links.primary(machine) is not None:
                self._links.send(machine, OwnQuery())
                self._links.send(machine, request, after=self._desk.newest_ticket)

    def answered(self, frame: Countersigned) -> bool:
        """An issuer answered; whether the new life began.

        Raises:
            PeerFault: what came is no countersignature for what was asked.
        """
        if self._authorship.renewal is None:
            return False
        if frame.envelope is None:
            self.refusal = frame.refusal[:200]
            return False
        self._authorship.countersigned(frame.envelope)
        self.refusal = ""
        return True

    def offered(self, envelope: bytes) -> None:
        """A countersignature was made elsewhere, by the root's key.

        Raises:
            InputFault: this node waits for none, or for another.
        """
        if self._authorship.renewal is None:
            raise InputFault("this node waits for no countersignature; nothing was changed", code="not_waiting")
        try:
            self._authorship.countersigned(envelope)
        except PeerFault as fault:
            raise InputFault(fault.message, code=fault.code, remedy=fault.remedy) from fault

    # --- countersigning -------------------------------------------------------------------------------------------

    def requested(self, peer: MachineId, frame: RenewalRequest) -> None:
        """A machine asks this issuer to countersign its new beginning; it gets the envelope, or the reason."""
        try:
            renewal = decode(frame.renewal, Renewal, size_max=limits.RECORD_BYTES_MAX)
            envelope = self._judged(peer, renewal, frame.settled)
        except PeerFault as fault:
            self._desk.fault(fault)
            self._links.send(peer, Countersigned(refusal=f"{fault.code}: {fault.message}"[:200]))
            return
        # Before it leaves it is on disk which store was given this incarnation: a copy may ask next.
        key = _PREFIX + f"{peer}.{renewal.incarnation}"
        self._signed[key] = frame.renewal
        ticket = self._desk.persist(MetaRow(key=key, value=frame.renewal))
        data: dict[str, object] = {"machine": peer, "incarnation": renewal.incarnation}
        self._desk.notify("countersigned", data, after=ticket)
        self._links.send(peer, Countersigned(envelope=envelope), after=ticket)

    def _judged(self, peer: MachineId, renewal: Renewal, settled: bytes) -> bytes:
        key = self._desk.identity.issuer_key
        if key is None:
            raise UntrustedError("this machine is no issuer", code="not_an_issuer")
        check_renewal(renewal)
        if renewal.machine != peer:
            raise UntrustedError(f"{peer} asks in the name of {renewal.machine}", code="wrong_source")
        if self._forks.frozen(peer):
            raise ConflictError(f"{peer} is in conflict: that has to be settled first", code="forked")
        if settled != self._forks.settlements(peer):
            # A copy that is out learns it from the settlement; before, it asks for a life that the other one needs.
            raise StaleError(f"of the settled forks of {peer} the two ends do not know the same yet", code="unsettled")
        if self._alive_elsewhere(peer):
            raise ConflictError(
                f"another run of {peer} was alive a moment ago: one of them is a copy", code="second_run"
            )
        earlier = self._signed.get(_PREFIX + f"{peer}.{renewal.incarnation}")
        if earlier is not None and decode(earlier, Renewal).store != renewal.store:
            raise ConflictError(
                f"another store of {peer} was given incarnation {renewal.incarnation}: one of them is a copy",
                code="second_store",
            )
        for chain in (LEDGER, MAIL):
            self._check_newest(peer, chain, renewal)
        return countersign(key, author=issuer_author(self._desk.me), fleet=self._desk.identity.fleet, renewal=renewal)

    def _check_newest(self, peer: MachineId, chain: Chain, renewal: Renewal) -> None:
        known = renewal.last(chain)
        claimed = (known.incarnation, known.sequence) if known is not None else (0, 0)
        held_incarnation = self._chains.incarnation(peer)
        if renewal.incarnation <= held_incarnation:
            raise StaleError(f"incarnation {held_incarnation} of {peer} has begun already", code="incarnation_taken")
        for incarnation in range(1, held_incarnation + 1):
            state = self._chains.state((peer, incarnation, chain))
            cut = self._cut((peer, incarnation, chain))
            head = state.head if cut is None else min(state.head, cut - 1)
            if known is not None and incarnation == known.incarnation:
                held = state.id_at(known.sequence)
                if held is not None and held != known.id:
                    raise ConflictError(
                        f"another entry {known.sequence} of the {chain} chain is held here than the one named",
                        code="forked",
                    )
            if state.ids and head > 0 and (incarnation, head) > claimed:
                raise StaleError(
                    f"entry {head} of the {chain} chain, incarnation {incarnation}, is held here and not named",
                    code="newer_known",
                )
