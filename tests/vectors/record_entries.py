"""Records the frozen examples of entries, frames and the records in them: ``python -m tests.vectors.record_entries``.

Keys come from words and times are fixed, so a recording is the same on every machine. A difference to what is on disk
is a change of the protocol, and never an accident.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.core.delivery import FloorRecord
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import Known, Renewal, countersign
from roosync_p2p.gossip.frontier import FrontierRecord, digest_of
from roosync_p2p.gossip.latest import RecordVersion
from roosync_p2p.liveness.heartbeat import Health, Heartbeat
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.mailbox.receipts import Receipt, ReceiptItem
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import certificate_request
from roosync_p2p.trust.directory import issuer_author
from roosync_p2p.trust.envelopes import parse_envelope
from tests.helpers.cores import NOW, A, Actor, B, C, identity, keys
from tests.helpers.order_frames import order_frames

__all__ = ["FOLDER", "VECTORS", "frames_by_name", "load"]

FOLDER: Final = Path(__file__).parent
_MESSAGE: Final = MessageBody(
    id="msg-20260115T091530-a1b2c3",
    to=["all:écurie", "machine-a"],
    subject="Re: Réunion à 9 h",
    body="« Prêt » 🎉\n",
    type="answer",
    priority="HIGH",
    tags=("équipe", "x"),
    workspace="web",
    thread="thread-20260115-config-sync",
    in_reply_to="msg-20260115T091500-000000",
)


def load(name: str) -> dict[str, Any]:
    """A vector file as it is on disk."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def _author() -> tuple[Actor, Entry, Entry]:
    """B with both chains; its message and its receipt."""
    actor = Actor(B)
    actor.begin(LEDGER)
    actor.begin(MAIL)
    message = actor.write(MESSAGE, encode(_MESSAGE))
    items = [ReceiptItem(message=message.id, workspace="", time_ms=NOW.wall_ms)]
    receipt = actor.write(RECEIPT, encode(Receipt(read=items)), time_ms=NOW.wall_ms + 1)
    return actor, message, receipt


def _renewal(actor: Actor) -> Renewal:
    ledger, mail = actor.chains[LEDGER][-1], actor.chains[MAIL][-1]
    return Renewal(
        machine=B,
        incarnation=2,
        store=b"n" * 16,
        ledger=Known(incarnation=1, sequence=1, id=ledger.id),
        mail=Known(incarnation=1, sequence=3, id=mail.id),
    )


def _countersignature(renewal: Renewal) -> bytes:
    issuer = identity(A)
    assert issuer.issuer_key is not None
    return countersign(issuer.issuer_key, author=issuer_author(A), fleet=issuer.fleet, renewal=renewal)


def _shown(entry: Entry) -> dict[str, Any]:
    envelope = parse_envelope(entry.raw, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    header = entry.header
    return {
        "author": header.author,
        "incarnation": header.incarnation,
        "chain": header.chain,
        "sequence": header.sequence,
        "previous": header.previous.hex(),
        "time_ms": header.time_ms,
        "kind": header.kind,
        "size": header.size,
        "body_sha256": header.body.hex(),
        "body": (entry.body or b"").hex(),
        "signed": envelope.signed_bytes().hex(),
        "id": entry.id.hex(),
        "envelope": entry.raw.hex(),
    }


def entries() -> dict[str, Any]:
    """Two chains of one machine, the beginning of its next life, and a fork."""
    actor, _, receipt = _author()
    renewal = _renewal(actor)
    envelope = _countersignature(renewal)
    life = Actor(B, incarnation=2, store=renewal.store)
    begun = [
        life.begin(LEDGER, previous=renewal.ledger, countersignature=envelope),
        life.begin(MAIL, previous=renewal.mail, countersignature=envelope),
    ]
    return {
        "root": keys().root.hex(),
        "certificates": [[identity(m).leaf.hex(), identity(m).issuer.hex()] for m in (A, B)],
        "ledger": [_shown(entry) for entry in actor.chains[LEDGER]],
        "mail": [_shown(entry) for entry in actor.chains[MAIL]],
        "renewal": encode(renewal).hex(),
        "countersignature": envelope.hex(),
        "next_life": [_shown(entry) for entry in begun],
        "fork": [_shown(receipt), _shown(actor.fork_at(3).chains[MAIL][2])],
        "message": {
            "id": _MESSAGE.id,
            "to": _MESSAGE.to,
            "subject": _MESSAGE.subject,
            "text": _MESSAGE.body,
            "thread_id": _MESSAGE.thread_id,
            "bytes": encode(_MESSAGE).hex(),
        },
        "receipt": (receipt.body or b"").hex(),
    }


def _heartbeat() -> Heartbeat:
    return Heartbeat(
        machine=B,
        start=3,
        boot=bytes(range(16)),
        counter=7,
        wall_ms=NOW.wall_ms,
        interval_ms=1_000,
        addresses=("192.168.1.20:47600", "[fe80::1]:47600"),
        heads=(("ledger", 1, 1), ("mail", 1, 3)),
        version="0.1.0",
        awake_since_ms=NOW.wall_ms - 60_000,
        health=Health(loop_lag_ms=2, disk_lag_ms=3, clock_offset_ms=-4),
    )


def _signed() -> dict[str, bytes]:
    """Envelopes by B, one of each record."""
    actor, message, _ = _author()
    frontier = FrontierRecord(machine=B, start=3, counter=8, spans=[actor.span(LEDGER), actor.span(MAIL)])
    floor = FloorRecord(machine=B, start=3, counter=9, incarnation=1, chain=MAIL, sequence=2, id=message.id)
    relayed = wire.RelayPayload(
        source=B,
        start=3,
        destination=C,
        counter=1,
        time_ms=NOW.wall_ms,
        frame=wire.encode_frame(wire.AskHears(machine=A)),
    )
    return {
        "heartbeat": actor.seal(contexts.HEARTBEAT, encode(_heartbeat())),
        "frontier": actor.seal(contexts.FRONTIER, encode(frontier)),
        "floor": actor.seal(contexts.FLOOR, encode(floor)),
        "relay": actor.seal(contexts.RELAY, encode(relayed)),
    }


def frames_by_name() -> dict[str, wire.Frame]:
    """One of each."""
    actor, message, receipt = _author()
    signed, renewal = _signed(), _renewal(actor)
    other = actor.fork_at(3).chains[MAIL][2]
    hello = wire.Hello(
        minor=0,
        machine=B,
        start=3,
        boot=bytes(range(16)),
        leaf=identity(B).leaf,
        issuer=identity(B).issuer,
        version="0.1.0",
    )
    both = [wire.WireEntry(header=entry.raw, body=entry.body) for entry in (message, receipt)]
    versions = [RecordVersion(kind="frontier", author=B, subject="", start=3, counter=8)]
    spans = [actor.span(LEDGER), actor.span(MAIL)]
    return {
        "hello": hello,
        "beat": wire.Beat(envelope=signed["heartbeat"], relayed=True, age_ms=250),
        "hears": wire.Hears(machines=[(A, 5, 300), (C, 0, None)], all=True),
        "hears?": wire.AskHears(machine=C),
        "lost": wire.Lost(machine=C, start=4),
        "spare": wire.Spare(spare=True),
        "blob?": wire.WantBlob(digest=bytes(range(32)), offset=65_536, count=16_384),
        "blob": wire.BlobFrame(digest=bytes(range(32)), offset=65_536, refusal="not_addressed"),
        "digest": wire.Digest(frontier=digest_of(spans), records=bytes(32)),
        "frontier": wire.FrontierFrame(spans=spans, answer=True),
        "have": wire.Have(spans=spans[1:]),
        "want": wire.Want(author=B, incarnation=1, chain="mail", first=2),
        "entries": wire.EntriesFrame(entries=[*both, wire.WireEntry(header=message.raw, body=None)]),
        "record": wire.RecordFrame(kind="floor", envelope=signed["floor"]),
        "versions": wire.Versions(versions=versions),
        "fork": wire.Fork(first=receipt.raw, second=other.raw),
        "own?": wire.OwnQuery(),
        "own": wire.OwnAnswer(headers=[receipt.raw], heartbeat=signed["heartbeat"]),
        "renewal": wire.RenewalRequest(renewal=encode(renewal)),
        "leaf?": wire.LeafRequest(request=certificate_request(identity(B).key, B)),
        "leaf": wire.LeafAnswer(leaf=identity(B).leaf, issuer=identity(B).issuer),
        "countersigned": wire.Countersigned(envelope=_countersignature(renewal)),
        "relay": wire.Relay(envelope=signed["relay"]),
        **order_frames(actor.chains[LEDGER][0]),
    }


def frames() -> dict[str, Any]:
    """Every frame, and the signed records that some of them carry."""
    return {
        "root": keys().root.hex(),
        "certificates": [[identity(m).leaf.hex(), identity(m).issuer.hex()] for m in (A, B)],
        "frames": {name: wire.encode_frame(frame).hex() for name, frame in frames_by_name().items()},
        "records": {name: envelope.hex() for name, envelope in _signed().items()},
    }


VECTORS: Final = {"entries": entries, "frames": frames}

if __name__ == "__main__":
    for vector, build in VECTORS.items():
        text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{vector}.json").write_text(text, encoding="utf-8", newline="\n")
