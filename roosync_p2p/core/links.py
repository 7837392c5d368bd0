"""The links of a node: greeting, one a pair, and what is sent over them (docs/protocol/links.md §9).

A link counts once both ends have said hello and the certificates fit the TLS session and the pinned key. Of two links
to one machine the end with the smaller machine id decides which stays, so that both ends agree. A link of an older
start is kept beside the newer one for a moment: if heartbeats of the older start go on there, two nodes run under one
identity, and that has to be seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import CloseLink, Push, Send, Ticket
from roosync_p2p.core.ports import LinkClosed, LinkId, LinkOpened
from roosync_p2p.core.wire import Frame, Hello, WireEntry, encode_frame
from roosync_p2p.errors import ConflictError, MalformedError, PeerFault, StaleError, UntrustedError
from roosync_p2p.ids import KeyId, MachineId
from roosync_p2p.trust.certificates import parse_machine_certificate

__all__ = ["Link", "LinkDown", "LinkFact", "LinkUp", "Links"]

SHADOW_S: Final = 3.5  # how long a link of an older start is watched: three heartbeats and some
SETTLE_S: Final = 10.0  # if the deciding end left two links standing, the other closes the older one after this
# A member that only one of us knows yet, a machine that each of us pinned differently, a slow relay.
# What somebody signed who is out, passed on by a peer that has not heard of it yet.
_AT_ONCE: Final = Ticket(0)
_NOT_ITS_FAULT: Final = frozenset(
    {
        "unknown_author",
        "unknown_key",
        "key_conflict",
        "relay_stale",
        "relay_replayed",
        "key_revoked",
        "issuer_revoked",
        "needs_root",
    }
)
MINOR: Final = 0  # of protocol 1, the only one so far


@dataclasses.dataclass(slots=True, kw_only=True)
class Link:
    """One connection. ``hello`` is None until the other end has greeted."""

    id: LinkId
    machine: MachineId
    leaf: bytes
    remote: str
    dialled: bool  # by us
    greeting: Ticket  # what our greeting waits for; everything else goes behind it
    opened_at: float
    replaces: bool = False
    hello: Hello | None = None
    heard_at: float = 0.0
    bad_frames: int = 0
    bad_frame_at: float = 0.0
    shadow_until: float | None = None
    settle_at: float | None = None
    closing: bool = False
    unproven: PeerFault | None = None  # it showed another key than the pinned one; its proof may still come
    unsaid: bytes = b""  # our greeting, which waits for that proof

    @property
    def start(self) -> int:
        """The peer's start number, from its greeting."""
        return self.hello.start if self.hello is not None else -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """The first usable link to a machine, or another one that replaced it (``again``)."""

    machine: MachineId
    link: LinkId
    again: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """The last usable link to a machine is gone."""

    machine: MachineId
    abused: bool
    reason: str
    lived_s: float


LinkFact: TypeAlias = LinkUp | LinkDown


class Links:
    """All links of a node, and which of them is used for each machine."""

    def __init__(self, desk: Desk, *, boot: bytes, silent_after_s: float) -> None:
        self._desk = desk
        self._boot = boot
        self._silent_after_s = silent_after_s
        self._links: dict[LinkId, Link] = {}
        self._primary: dict[MachineId, LinkId] = {}
        self.detour: Callable[[MachineId, Frame, Ticket], bool] | None = None
        self.proofs: Callable[[MachineId], Iterable[Frame]] = lambda _machine: ()
        self.own_proofs_after: Callable[[], Ticket] = lambda: Ticket(0)  # when those of this machine are durable

    # --- who is there ---------------------------------------------------------------------------------------------

    def peers(self) -> tuple[MachineId, ...]:
        """Machines with a usable link, in the order of their ids."""
        return tuple(sorted(self._primary))

    def primary(self, machine: MachineId) -> Link | None:
        """The link that is used for a machine."""
        link = self._primary.get(machine)
        return self._links[link] if link is not None else None

    def get(self, link: LinkId) -> Link | None:
        """A link by its id, greeted or not."""
        return self._links.get(link)

    # --- sending --------------------------------------------------------------------------------------------------

    def send(self, machine: MachineId, frame: Frame, *, after: Ticket = Ticket(0), droppable: bool = False) -> bool:  # noqa: B008
        """Sends to a machine, by a detour through a peer if there is no link; False if there is no way."""
        link = self._primary.get(machine)
        if link is None:
            return self.detour(machine, frame, after) if self.detour is not None else False
        self.send_on(link, encode_frame(frame), after=after, droppable=droppable)
        return True

    def broadcast(
        self,
        frame: Frame,
        *,
        after: Ticket = Ticket(0),  # noqa: B008 - an int
        droppable: bool = False,
        but: Iterable[MachineId] = (),
        shadows: bool = False,
    ) -> None:
        """Sends to every linked machine, encoded once. ``shadows``: over every greeted link, spare ones too."""
        left_out = set(but)
        data = encode_frame(frame)
        for machine in self.peers():
            if machine not in left_out:
                self.send_on(self._primary[machine], data, after=after, droppable=droppable)
        if shadows:
            for link in self._links.values():
                if link.hello is not None and self._primary.get(link.machine) != link.id and not link.closing:
                    self.send_on(link.id, data, after=after, droppable=droppable)

    def send_on(self, link: LinkId, data: bytes, *, after: Ticket, droppable: bool) -> None:
        """Sends encoded bytes over one link, never before its greeting."""
        held = self._links.get(link)
        waits = after if held is None else max(after, held.greeting)
        self._desk.emit(Send(link=link, frame=data, after=waits, droppable=droppable))

    def push_on(self, link: LinkId, entry: WireEntry, *, after: Ticket) -> None:
        """Sends an entry over one link, with others that become durable together."""
        self._desk.emit(Push(link=link, entry=entry, after=max(after, self._links[link].greeting)))

    # --- life of a link -------------------------------------------------------------------------------------------

    def opened(self, event: LinkOpened, hello: Hello, *, after: Ticket, replaces: bool) -> None:
        """TLS is up: checks who that is, and greets.

        Raises:
            PeerFault: not a machine of this fleet with its pinned key; the link is being closed.
        """
        unproven = None
        try:
            certificate = parse_machine_certificate(event.peer_leaf)
            self._check_identity(certificate.machine, certificate.fleet, certificate.public.key_id)
        except ConflictError as fault:
            unproven = fault  # the machine may have replaced its key: it shows that before it greets
        except PeerFault as fault:
            if fault.code == "key_revoked":
                self._show_proofs(event.link, MachineId(str(fault.details["machine"])))
            self._desk.emit(CloseLink(link=event.link, reason=_shortened(fault)))
            raise
        now_s = self._desk.now.monotonic_s
        after = max(after, self.own_proofs_after())
        self._links[event.link] = Link(
            id=event.link,
            machine=certificate.machine,
            leaf=event.peer_leaf,
            remote=event.remote,
            dialled=event.dial is not None,
            greeting=after,
            opened_at=now_s,
            heard_at=now_s,
            replaces=replaces,
            unproven=unproven,
            unsaid=encode_frame(hello) if unproven is not None else b"",
        )
        if unproven is None:
            self._greet(event.link, encode_frame(hello), after=after)

    def greeted(self, link: Link, hello: Hello) -> list[LinkFact]:
        """The other end said hello: the link counts, unless another one to that machine is preferred.

        Raises:
            PeerFault: the greeting does not fit the TLS session; the link is being closed.
        """
        try:
            self._check_hello(link, hello)
            if link.unproven is not None and self._is_pinned_otherwise(link):
                raise link.unproven
            self._desk.learn(hello.leaf, hello.issuer)
        except PeerFault as fault:
            self.close(link, _shortened(fault))
            raise
        first = link.hello is None
        link.hello = hello
        if link.unsaid:
            link.greeting = max(link.greeting, self.own_proofs_after())
            self._greet(link.id, link.unsaid, after=link.greeting)
            link.unsaid = b""
        return self._arrange(link) if first else []

    def closed(self, event: LinkClosed) -> list[LinkFact]:
        """The connection is gone."""
        link = self._links.pop(event.link, None)
        if link is None or self._primary.get(link.machine) != link.id:
            return []
        del self._primary[link.machine]
        spare = self._spare(link.machine)
        if spare is not None:
            spare.shadow_until = spare.settle_at = None
            self._primary[link.machine] = spare.id
            return [LinkUp(machine=link.machine, link=spare.id, again=True)]
        abused = link.bad_frames >= limits.LINK_BAD_FRAMES_MAX
        lived_s = self._desk.now.monotonic_s - link.opened_at
        return [LinkDown(machine=link.machine, abused=abused, reason=event.reason, lived_s=lived_s)]

    def bad_frame(self, link: LinkId, fault: PeerFault) -> None:
        """Counts a frame that was no good; too many in a while close the link with the reason.

        What a peer passes on in good faith, and cannot judge as we do, is counted and is not its fault.
        """
        self._desk.fault(fault)
        held = self._links.get(link)
        if held is None or held.closing or fault.code in _NOT_ITS_FAULT:
            return
        now_s = self._desk.now.monotonic_s
        if now_s - held.bad_frame_at > limits.LINK_BAD_FRAMES_FORGOTTEN_S:
            held.bad_frames = 0
        held.bad_frame_at = now_s
        held.bad_frames += 1
        if held.bad_frames >= limits.LINK_BAD_FRAMES_MAX:
            self.close(held, f"{held.bad_frames} bad frames, the last: {_shortened(fault)}")

    def bad_part(self, peer: MachineId, fault: PeerFault) -> None:
        """Counts a bad part of a good frame like a bad frame of whoever it is from, by whatever way it came."""
        link = self._primary.get(peer)
        if link is not None:
            self.bad_frame(link, fault)
        else:
            self._desk.fault(fault)

    def _greet(self, link: LinkId, hello: bytes, *, after: Ticket) -> None:
        """Our greeting, behind the proofs for a peer that knows an older key of this machine."""
        self._show_proofs(link, self._desk.me, after=after)
        self.send_on(link, hello, after=after, droppable=False)

    def show_out(self, machine: MachineId) -> None:
        """Closes every link on which that machine showed a key that was given up, and tells it why."""
        for link in list(self._links.values()):
            if link.machine != machine or link.closing:
                continue
            if parse_machine_certificate(link.leaf).public.key_id in self._desk.directory.given_up:
                self._show_proofs(link.id, machine)
                self.close(link, "key_revoked: this machine's key was revoked or replaced")

    def _show_proofs(self, link: LinkId, machine: MachineId, *, after: Ticket = _AT_ONCE) -> None:
        """``after``: what is said of others proves itself; what this machine says of itself has to be on its disk."""
        for frame in self.proofs(machine):
            self.send_on(link, encode_frame(frame), after=after, droppable=False)

    def others_of(self, link: Link) -> list[Link]:
        """Greeted links to the same machine id whose other end is another run of it."""
        boot = link.hello.boot if link.hello is not None else b""
        return [
            other
            for other in self._links.values()
            if other.machine == link.machine and other.hello is not None and other.hello.boot != boot
        ]

    def heard(self, link: Link) -> None:
        """A frame came over this link."""
        link.heard_at = self._desk.now.monotonic_s

    def close(self, link: Link, reason: str) -> None:
        """Begins to close a link; it is used until LinkClosed says it is gone."""
        if not link.closing:
            link.closing = True
            self._desk.emit(CloseLink(link=link.id, reason=reason))

    def next_deadline(self) -> float | None:
        """When a spare link has been watched long enough, or a greeting is overdue."""
        return min((at for link in self._links.values() if (at := self._due_at(link)) is not None), default=None)

    def tick(self) -> None:
        """Closes what has stood long enough."""
        for link in list(self._links.values()):
            at = self._due_at(link)
            if at is None or at > self._desk.now.monotonic_s:
                continue
            if link.hello is None:
                self.close(link, "no greeting came")
            elif link.shadow_until is not None:
                self.close(link, "a newer start of this machine is connected")
            else:
                self.close(link, "another link between these machines is used")

    def _due_at(self, link: Link) -> float | None:
        if link.closing:
            return None
        if link.hello is None:
            return link.opened_at + limits.HANDSHAKE_TIMEOUT_S
        return link.shadow_until if link.shadow_until is not None else link.settle_at

    # --- one a pair -----------------------------------------------------------------------------------------------

    def _arrange(self, new: Link) -> list[LinkFact]:
        old = self.primary(new.machine)
        if old is None:
            return self._use(new)
        now_s = self._desk.now.monotonic_s
        assert new.hello is not None
        assert old.hello is not None
        if new.start != old.start or new.hello.boot != old.hello.boot:
            # Two runs of one machine. An older start may just be dying; one start with two boot ids cannot be.
            older, newer = (old, new) if new.start > old.start else (new, old)
            older.shadow_until = now_s + SHADOW_S
            return self._use(newer) if newer is new else []
        prefer_new = self._prefers_new(new, old)
        loser = old if prefer_new else new
        if self._desk.me < new.machine:
            self.close(loser, "another link between these machines is used")
        else:
            loser.settle_at = now_s + SETTLE_S
        return self._use(new) if prefer_new else []

    def _prefers_new(self, new: Link, old: Link) -> bool:
        assert new.hello is not None
        silent = self._desk.now.monotonic_s - old.heard_at >= self._silent_after_s
        if silent or new.replaces or new.hello.replaces:
            return True
        if old.dialled == new.dialled:
            return False
        # Between equals the one dialled by the smaller machine id stays.
        return new.dialled == (self._desk.me < new.machine)

    def _use(self, link: Link) -> list[LinkFact]:
        again = link.machine in self._primary
        self._primary[link.machine] = link.id
        return [LinkUp(machine=link.machine, link=link.id, again=again)]

    def _spare(self, machine: MachineId) -> Link | None:
        spare = [
            link
            for link in self._links.values()
            if link.machine == machine and link.hello is not None and not link.closing
        ]
        return max(spare, key=lambda link: (link.start, link.opened_at), default=None)

    # --- checks ---------------------------------------------------------------------------------------------------

    def _check_identity(self, machine: MachineId, fleet: bytes, key_id: KeyId) -> None:
        if fleet != self._desk.identity.fleet:
            raise UntrustedError(f"{machine} is a machine of another fleet", code="wrong_fleet")
        if key_id in self._desk.directory.given_up:
            raise UntrustedError(
                f"this key of {machine} was revoked or replaced", code="key_revoked", details={"machine": machine}
            )
        pinned = self._desk.directory.members.get(machine)
        if pinned is not None and pinned.key_id != key_id:
            raise ConflictError(
                f"{machine} is pinned to another key than the one that was shown",
                code="key_conflict",
                details={"machine": machine, "pinned": pinned.key_id.hex(), "shown": key_id.hex()},
            )

    def _is_pinned_otherwise(self, link: Link) -> bool:
        pinned = self._desk.directory.members.get(link.machine)
        return pinned is not None and pinned.public != parse_machine_certificate(link.leaf).public

    def _check_hello(self, link: Link, hello: Hello) -> None:
        # Another certificate of the same key was given to it since the TLS session began.
        shown, greets = parse_machine_certificate(link.leaf), parse_machine_certificate(hello.leaf)
        if hello.machine != link.machine or (greets.machine, greets.public) != (shown.machine, shown.public):
            raise UntrustedError(
                "the greeting is not of the machine that opened the TLS session", code="wrong_tls_peer"
            )
        if link.machine == self._desk.me:
            if hello.boot == self._boot:
                raise StaleError("dialled itself", code="own_address")
            raise ConflictError("another node runs under this machine's own identity", code="own_identity")
        if len(hello.boot) != 16 or hello.start < 0 or hello.minor < 0 or len(hello.version) > 64:
            raise MalformedError("a greeting breaks its bounds", code="bad_field")


def _shortened(fault: PeerFault) -> str:
    return f"{fault.code}: {fault.message}"[:100]
