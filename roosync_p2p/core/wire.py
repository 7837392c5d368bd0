"""The frames of a link, one schema each (docs/protocol/frames.md §1).

A frame is canonical msgpack with its name under ``t``. Frames of a name that this version does not know are counted
and skipped; a frame that does not fit its schema is an error of the peer.
"""

from __future__ import annotations

import contextlib
from typing import TypeAlias, cast

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.codec.records import prepare_types
from roosync_p2p.errors import MalformedError
from roosync_p2p.gossip.frontier import Span
from roosync_p2p.gossip.latest import RecordVersion

__all__ = [
    "AskHears",
    "Beat",
    "BlobFrame",
    "Committed",
    "Countersigned",
    "Digest",
    "EntriesFrame",
    "EpochsFrame",
    "Fork",
    "Frame",
    "FrontierFrame",
    "Have",
    "Hears",
    "Hello",
    "LeafAnswer",
    "LeafRequest",
    "LeavingSoon",
    "Lost",
    "OrderedFrame",
    "OwnAnswer",
    "OwnQuery",
    "RaftFrame",
    "ReadIndexAnswer",
    "ReadIndexQuery",
    "RecordFrame",
    "Relay",
    "RelayPayload",
    "RenewalRequest",
    "Spare",
    "Versions",
    "Want",
    "WantBlob",
    "WantCommitted",
    "WantEpochs",
    "WantOrdered",
    "WireEntry",
    "decode_frame",
    "encode_frame",
    "prepare_frames",
]


class _Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t"):
    """Base of all frames."""


class Hello(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="hello"):
    """First on every link, from both ends; again when the start number changes after the start-up check.

    ``minor`` versions of protocol 1 that the sender speaks: the smaller of both is used. ``replaces``: on the links
    that stand between these two nodes the sender hears nothing any more. ``store``: the id of this life of its store;
    empty before the start-up check has ended.
    """

    minor: int
    machine: str
    start: int
    boot: bytes
    leaf: bytes
    issuer: bytes
    version: str
    replaces: bool = False
    store: bytes = b""


class Beat(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="beat"):
    """A signed heartbeat; ``age_ms`` is what a relay adds, and only a relay sets it (0 is its sender's own)."""

    envelope: bytes
    relayed: bool = False
    age_ms: int = 0


class Hears(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="hears"):
    """Whom the sender hears directly: (machine, start number, age in ms; None: not). ``all``: and nobody else."""

    machines: list[tuple[str, int, int | None]]
    all: bool = False


class AskHears(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="hears?"):
    """Do you hear this machine directly?"""

    machine: str


class Lost(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="lost"):
    """The sender's direct evidence of that start of a machine is gone."""

    machine: str
    start: int


class Spare(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="spare"):
    """Whether the sender could do without this link: beyond a full mesh one that neither end needs is closed."""

    spare: bool


class Digest(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="digest"):
    """Digests of the sender's frontier and of its latest records."""

    frontier: bytes
    records: bytes


class FrontierFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="frontier"):
    """The sender's whole frontier. ``answer``: and it wants the receiver's."""

    spans: list[Span]
    answer: bool = False


class Have(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="have"):
    """Chains that grew at the sender, durably: an acknowledgement and an offer at once."""

    spans: list[Span]


class Want(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="want"):
    """Send me that chain from ``first`` on; ``count`` at most (0: as many as fit one frame)."""

    author: str
    incarnation: int
    chain: str
    first: int
    count: int = 0


class WireEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A signed header and its body; None where the sender no longer has it."""

    header: bytes
    body: bytes | None


class EntriesFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="entries"):
    """Entries, each chain's in sequence."""

    entries: list[WireEntry]


class RecordFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="record"):
    """A signed latest-wins record."""

    kind: str
    envelope: bytes


class Versions(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="versions"):
    """Which latest-wins records the sender holds; the receiver sends what is newer. ``answer``: and its own list."""

    versions: list[RecordVersion]
    answer: bool = False


class Fork(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="fork"):
    """Evidence: two headers by one author for one place."""

    first: bytes
    second: bytes


class OwnQuery(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="own?"):
    """What is the newest that you hold of *me*? Asked by a node before it writes anything."""


class OwnAnswer(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="own"):
    """The newest header of each chain of the asker's newest incarnation, its newest heartbeat, and its newest vote.

    ``former``: certificates (leaf, issuer) of keys that it had before; the headers may be signed with one of them.
    """

    headers: list[bytes]
    heartbeat: bytes | None = None
    vote: bytes | None = None
    former: list[tuple[bytes, bytes]] = []


class RenewalRequest(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="renewal"):
    """To an issuer: countersign this beginning (an encoded ``entries.incarnations.Renewal``).

    ``settled``: digest of the settled forks of the sender that it knows of; empty if it knows of none.
    """

    renewal: bytes
    settled: bytes = b""


class Countersigned(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="countersigned"):
    """The countersignature, or why there is none."""

    envelope: bytes | None = None
    refusal: str = ""


class LeafRequest(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="leaf?"):
    """To an issuer: the sender's next certificate, for the key that it has (a PKCS#10 request).

    ``rotates``: for the key that it is going to have.
    """

    request: bytes
    rotates: bool = False


class LeafAnswer(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="leaf"):
    """The certificate and the one that signed it, or why there is none."""

    leaf: bytes = b""
    issuer: bytes = b""
    refusal: str = ""


class RaftFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="raft"):
    """A message of the consensus (docs/protocol/consensus.md)."""

    message: bytes


class WantOrdered(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="ordered?"):
    """Send me these ledger entries, by their ids: a batch of the log names them and they are not here."""

    ids: list[bytes]


class OrderedFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="ordered"):
    """Ledger entries that were asked for by their ids, whole."""

    entries: list[WireEntry]


class WantCommitted(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="committed?"):
    """Send me committed items of the log from ``first`` on."""

    first: int


class Committed(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="committed"):
    """Committed items of the log from ``first`` on, as they are stored; ``commit`` is how far the sender knows."""

    epoch: int
    first: int
    items: list[bytes]
    commit: int


class WantEpochs(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="epochs?"):
    """Send me the root's statements about epochs later than ``after``: somebody is in one that I do not know."""

    after: int


class EpochsFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="epochs"):
    """The root's statements that begin epochs, as envelopes, in their order."""

    statements: list[bytes]


class ReadIndexQuery(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="index?"):
    """To the leader: up to where must be applied so that a read sees everything that was acknowledged before now?"""

    request: int


class ReadIndexAnswer(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="index"):
    """The leader's answer; None: it is not the leader, or has lost its quorum."""

    request: int
    index: int | None = None


class LeavingSoon(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="leaving"):
    """The sender is about to stop, or its computer to sleep: its vote and its lead are to go to others."""


class WantBlob(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="blob?"):
    """Send me ``count`` bytes of that blob from ``offset`` on."""

    digest: bytes
    offset: int
    count: int


class BlobFrame(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="blob"):
    """They, or in one word why not."""

    digest: bytes
    offset: int
    data: bytes = b""
    refusal: str = ""


class Relay(_Frame, frozen=True, kw_only=True, omit_defaults=True, tag="relay"):
    """A frame for somebody to whom the source has no link, signed by the source (docs/protocol/links.md §8)."""

    envelope: bytes


class RelayPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the source of a relayed frame signs."""

    source: str
    start: int
    destination: str
    counter: int
    time_ms: int
    frame: bytes


Frame: TypeAlias = (
    Hello
    | Beat
    | Hears
    | AskHears
    | Lost
    | Digest
    | FrontierFrame
    | Have
    | Want
    | EntriesFrame
    | RecordFrame
    | Versions
    | Fork
    | OwnQuery
    | OwnAnswer
    | RenewalRequest
    | Countersigned
    | LeafRequest
    | LeafAnswer
    | RaftFrame
    | WantOrdered
    | OrderedFrame
    | WantCommitted
    | Committed
    | WantEpochs
    | EpochsFrame
    | ReadIndexQuery
    | ReadIndexAnswer
    | LeavingSoon
    | Spare
    | WantBlob
    | BlobFrame
    | Relay
)

_KNOWN = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        *(Hello, Beat, Hears, AskHears, Lost, Digest, FrontierFrame, Have, Want, EntriesFrame, RecordFrame, Versions),
        *(Fork, OwnQuery, OwnAnswer, RenewalRequest, Countersigned, LeafRequest, LeafAnswer, Relay),
        *(RaftFrame, WantOrdered, OrderedFrame, WantCommitted, Committed, ReadIndexQuery, ReadIndexAnswer),
        *(WantEpochs, EpochsFrame, LeavingSoon, Spare, WantBlob, BlobFrame),
    )
)


def encode_frame(frame: Frame) -> bytes:
    """The canonical bytes of a frame. The caller keeps it under ``limits.FRAME_BYTES_MAX``."""
    data = pack(msgspec.to_builtins(frame, builtin_types=(bytes,)))
    assert len(data) <= limits.FRAME_BYTES_MAX, type(frame).__name__
    return data


def prepare_frames() -> None:
    """Has everything built that decoding needs; see :func:`~roosync_p2p.codec.records.prepare_types`."""
    prepare_types()
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.convert({}, Frame, builtin_types=(bytes,))


def decode_frame(data: bytes) -> Frame | None:
    """The frame in canonical bytes; None for one of a name that this version does not know.

    Raises:
        MalformedError: too large, not canonical, or a field is missing or of the wrong type (the error names it).
    """
    value = unpack(data, size_max=limits.FRAME_BYTES_MAX)
    if not isinstance(value, dict) or not isinstance(value.get("t"), str):
        raise MalformedError("a frame is a map with its name under 't'", code="bad_frame")
    if value["t"] not in _KNOWN:
        return None
    try:
        return cast("Frame", msgspec.convert(value, Frame, strict=True, builtin_types=(bytes,)))
    except (msgspec.ValidationError, RecursionError) as error:
        raise MalformedError(f"frame {value['t']}: {error}", code="bad_frame") from error
