"""Every frame with something signed in it, with one lie each: a specific fault is counted, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import pack
from roosync_p2p.core import wire
from roosync_p2p.core.ports import LinkId
from roosync_p2p.entries.entry import LEDGER, MAIL
from roosync_p2p.entries.incarnations import Renewal
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import parse_envelope, seal
from tests.core.test_intake import every_frame
from tests.helpers.cores import A, Actor, B, C, Rig, entries, keys

Lie = Callable[[bytes], bytes]


def _rig() -> tuple[Rig, LinkId]:
    """A node that knows a chain of C, a record of C, and is linked with A."""
    rig = Rig().ready()
    link = rig.meet(Actor(A))
    rig.receive(link, entries(*Actor(C).mail(2)))
    rig.receive(link, Actor(C).frontier())
    rig.advance(2.0)
    rig.forget()
    return rig, link


def _state(rig: Rig) -> object:
    """What a frame that is no good must not change."""
    core = rig.core
    return (
        core.exchange.spans(),
        core.delivery.versions(),
        core.members(),
        core.forks.authors(),
        core.authorship.phase,
        core.authorship.start,
        core.presence.latest(C),
        core.links.peers(),
        list(rig.written),
        [event for event, _ in rig.events],
    )


# --- lies that are told with an envelope -----------------------------------------------------------------------------


def _rubbish(_: bytes) -> bytes:
    return b"rubbish"


def _unsigned(envelope: bytes) -> bytes:
    parsed = parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX)
    return records.encode(msgspec.structs.replace(parsed, signature=bytes(64)))


def _changed(envelope: bytes) -> bytes:
    parsed = parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX)
    return records.encode(msgspec.structs.replace(parsed, payload=parsed.payload + b"\x00"))


def _other_fleet(envelope: bytes) -> bytes:
    parsed = parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX)
    stranger = keys("another fleet").identities[C]
    return seal(
        stranger.key, context=parsed.context, fleet=stranger.fleet, author=parsed.author, payload=parsed.payload
    )


def _other_purpose(envelope: bytes) -> bytes:
    return Actor(C).seal(contexts.STATEMENT, parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX).payload)


def _somebody_else(envelope: bytes) -> bytes:
    parsed = parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX)
    other = Actor(B).identity
    return seal(other.key, context=parsed.context, fleet=other.fleet, author=C, payload=parsed.payload)


def _nobody(envelope: bytes) -> bytes:
    parsed = parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX)
    return records.encode(msgspec.structs.replace(parsed, author="machine-z"))


def _more(envelope: bytes) -> bytes:
    value = records.to_value(parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX))
    assert isinstance(value, dict)
    return pack({**value, "z": 1})


def _no_payload(envelope: bytes) -> bytes:
    context = parse_envelope(envelope, size_max=limits.FRAME_BYTES_MAX).context
    return Actor(C).seal(context, pack({}))


LIES: dict[str, tuple[Lie, str]] = {
    "rubbish": (_rubbish, "malformed"),
    "unsigned": (_unsigned, "bad_signature"),
    "changed": (_changed, "bad_signature"),
    "of another fleet": (_other_fleet, "wrong_fleet"),
    "signed for another purpose": (_other_purpose, "wrong_context"),
    "signed by another member": (_somebody_else, "unknown_key"),
    "by nobody who is known": (_nobody, "unknown_author"),
    "with an unsigned field": (_more, "bad_field"),
    "with an empty payload": (_no_payload, "bad_field"),
}


def _frames() -> dict[str, Callable[[Lie], wire.Frame]]:
    """Frames with a place for a lie; everything else in them is good."""
    author = Actor(C)
    entry = author.mail(3)[2]
    other = author.fork_at(3).chains[MAIL][2]
    own = Actor(B).mail(5)[4]
    return {
        "beat": lambda lie: wire.Beat(envelope=lie(author.beat().envelope), relayed=True),
        "entries": lambda lie: wire.EntriesFrame(entries=[wire.WireEntry(header=lie(entry.raw), body=entry.body)]),
        "frontier record": lambda lie: wire.RecordFrame(
            kind="frontier", envelope=lie(author.frontier(author.span(), counter=9).envelope)
        ),
        "floor record": lambda lie: wire.RecordFrame(kind="floor", envelope=lie(author.floor(entry).envelope)),
        "fork": lambda lie: wire.Fork(first=entry.raw, second=lie(other.raw)),
        "own header": lambda lie: wire.OwnAnswer(headers=[lie(own.raw)]),
        "own heartbeat": lambda lie: wire.OwnAnswer(headers=[], heartbeat=lie(author.beat().envelope)),
        "relay": lambda lie: wire.Relay(envelope=lie(author.relay(author.frontier(counter=9), to=B).envelope)),
    }


# A heartbeat of another machine says nothing about this one in an answer, and is not looked into once it verified.
_CASES = [(name, lie) for name in sorted(_frames()) for lie in sorted(LIES)]
_CASES.remove(("own heartbeat", "with an empty payload"))


@pytest.mark.parametrize(("name", "lie"), _CASES)
def test_a_lie_in_an_envelope_is_counted_by_its_name_and_changes_nothing(name: str, lie: str) -> None:
    rig, link = _rig()
    before = _state(rig)
    tell, code = LIES[lie]
    rig.receive(link, _frames()[name](tell))
    assert rig.counted(f"fault.{code}") == 1
    assert _state(rig) == before


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("beat", limits.HEARTBEAT_BYTES_MAX),
        ("entries", limits.ENTRY_HEADER_BYTES_MAX),
        ("frontier record", limits.RECORD_BYTES_MAX),
        ("floor record", limits.RECORD_BYTES_MAX),
        ("fork", limits.ENTRY_HEADER_BYTES_MAX),
        ("own header", limits.ENTRY_HEADER_BYTES_MAX),
        ("own heartbeat", limits.HEARTBEAT_BYTES_MAX),
    ],
)
def test_an_envelope_over_its_bound_is_not_parsed(name: str, bound: int) -> None:
    rig, link = _rig()
    before = _state(rig)
    rig.receive(link, _frames()[name](lambda _: bytes(bound + 1)))
    assert rig.counted("fault.oversized") == 1
    assert _state(rig) == before


# --- lies that are told with the frame itself ------------------------------------------------------------------------


def _plain(name: str) -> dict[str, object]:
    value = msgspec.to_builtins(every_frame()[name], builtin_types=(bytes,))
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("name", sorted(every_frame()))
def test_a_frame_that_is_cut_is_a_bad_frame(name: str) -> None:
    rig, link = _rig()
    before = _state(rig)
    rig.receive(link, pack(_plain(name))[:-1])
    assert rig.counted("fault.malformed") == 1
    assert _state(rig) == before


@pytest.mark.parametrize("name", sorted(every_frame()))
def test_a_frame_that_is_not_canonical_is_a_bad_frame(name: str) -> None:
    rig, link = _rig()
    data = pack(_plain(name))
    name_at = data.rindex(b"\xa1t")
    rig.receive(link, data[:name_at] + b"\xd9\x01t" + data[name_at + 2 :])
    assert rig.counted("fault.not_canonical") == 1


@pytest.mark.parametrize("name", sorted(set(every_frame()) - {"own?", "countersigned"}))
def test_a_frame_without_one_of_its_fields_is_a_bad_frame(name: str) -> None:
    value = _plain(name)
    required = {field.name for field in msgspec.structs.fields(type(every_frame()[name])) if field.required}
    for field in sorted(required):
        rig, link = _rig()
        before = _state(rig)
        rig.receive(link, pack({key: kept for key, kept in value.items() if key != field}))
        assert rig.counted("fault.bad_frame") == 1, field
        assert _state(rig) == before


@pytest.mark.parametrize("name", sorted(set(every_frame()) - {"own?"}))
def test_a_frame_with_a_field_of_another_type_is_a_bad_frame(name: str) -> None:
    value = _plain(name)
    for field in sorted(set(value) - {"t"}):
        rig, link = _rig()
        rig.receive(link, pack({**value, field: {"what": "is this"}}))
        assert rig.counted("fault.bad_frame") == 1, field


@pytest.mark.parametrize("name", sorted(every_frame()))
def test_a_frame_over_the_bound_is_a_bad_frame(name: str) -> None:
    rig, link = _rig()
    rig.receive(link, pack({**_plain(name), "zzz": bytes(limits.FRAME_BYTES_MAX)}))
    assert rig.counted("fault.oversized") == 1


# --- replayed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["beat", "entries", "record", "hears", "have", "frontier", "versions", "lost"])
def test_a_frame_that_comes_again_changes_nothing(name: str) -> None:
    rig, link = _rig()
    frame = every_frame()[name]
    if isinstance(frame, wire.Beat):
        frame = wire.Beat(envelope=frame.envelope, relayed=True)
    rig.receive(link, frame)
    rig.forget()
    before = _state(rig)
    rig.receive(link, frame)
    assert _state(rig) == before
    assert not any(count for count in rig.core.desk.counters if count.startswith("fault."))


def test_evidence_of_a_fork_that_comes_again_is_written_once() -> None:
    rig, link = _rig()
    for _ in range(3):
        rig.receive(link, every_frame()["fork"])
    assert len([row for row in rig.written if type(row).__name__ == "ForkRow"]) == 1


# --- countersignatures, which only a waiting node looks at -----------------------------------------------------------


def _waiting() -> tuple[Rig, LinkId, Renewal]:
    before = Actor(B)
    before.begin(LEDGER)
    before.mail(3)
    rig = Rig()
    link = rig.meet(Actor(A))
    rig.receive(link, wire.OwnAnswer(headers=[before.chains[MAIL][-1].raw]))
    rig.advance(5.1)
    renewal = rig.core.authorship.renewal
    assert renewal is not None
    rig.forget()
    return rig, link, renewal


@pytest.mark.parametrize("lie", sorted(set(LIES) - {"signed by another member", "by nobody who is known"}))
def test_a_countersignature_with_a_lie_begins_no_life(lie: str) -> None:
    rig, link, renewal = _waiting()
    before = _state(rig)
    tell, code = LIES[lie]
    rig.receive(link, wire.Countersigned(envelope=tell(keys().root_countersignature(renewal))))
    assert rig.counted(f"fault.{code}") == 1
    assert _state(rig) == before


def test_a_good_countersignature_begins_the_life() -> None:
    rig, link, renewal = _waiting()
    rig.receive(link, wire.Countersigned(envelope=keys().root_countersignature(renewal)))
    assert rig.core.authorship.incarnation == 2
