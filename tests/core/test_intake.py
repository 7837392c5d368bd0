"""From bytes to verified parts: a bad part is an error in its place, a bad frame is a documented fault."""

from __future__ import annotations

import functools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.core.intake import Prepared, prepare
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.entries.incarnations import Renewal
from roosync_p2p.errors import PeerFault
from roosync_p2p.gossip.latest import RecordVersion
from roosync_p2p.trust.certificates import certificate_request
from roosync_p2p.trust.envelopes import Verified
from tests.helpers.cores import A, Actor, B, C, D, directory, entries, identity, keys
from tests.helpers.order_frames import order_frames
from tests.helpers.trust import accepted_or_documented, refused_with


def _prepared(frame: wire.Frame | bytes) -> Prepared:
    data = frame if isinstance(frame, bytes) else wire.encode_frame(frame)
    return prepare(data, directory(A, B, C))


def _codes(prepared: Prepared) -> list[str]:
    return [part.code if isinstance(part, PeerFault) else "" for part in prepared.parts]


def _spoiled(entry: Entry) -> wire.WireEntry:
    return wire.WireEntry(header=entry.raw[:-1] + bytes([entry.raw[-1] ^ 1]), body=entry.body)


@functools.cache
def every_frame() -> dict[str, wire.Frame]:
    """One good frame of each kind, from C."""
    actor = Actor(C)
    mail = actor.mail(3)
    other = actor.fork_at(3).chains[mail[0].chain][2]
    renewal = Renewal(machine=C, incarnation=2, store=b"n" * 16, ledger=None, mail=None)
    return {
        "hello": actor.hello(),
        "beat": actor.beat(),
        "hears": wire.Hears(machines=[(A, 1, 10), (B, 1, None)], all=True),
        "hears?": wire.AskHears(machine=A),
        "lost": wire.Lost(machine=A, start=1),
        "digest": wire.Digest(frontier=bytes(32), records=bytes(32)),
        "frontier": wire.FrontierFrame(spans=[actor.span()], answer=True),
        "have": wire.Have(spans=[actor.span()]),
        "want": wire.Want(author=C, incarnation=1, chain="mail", first=1, count=2),
        "entries": entries(*mail),
        "record": actor.frontier(actor.span()),
        "versions": wire.Versions(
            versions=[RecordVersion(kind="frontier", author=C, subject="", start=1, counter=1)], answer=True
        ),
        "fork": wire.Fork(first=mail[2].raw, second=other.raw),
        "own?": wire.OwnQuery(),
        "own": wire.OwnAnswer(headers=[mail[2].raw], heartbeat=actor.beat().envelope),
        "renewal": wire.RenewalRequest(renewal=encode(renewal)),
        "leaf?": wire.LeafRequest(request=certificate_request(identity(C).key, C)),
        "leaf": wire.LeafAnswer(leaf=identity(C).leaf, issuer=identity(C).issuer),
        "countersigned": wire.Countersigned(envelope=keys().root_countersignature(renewal)),
        "spare": wire.Spare(spare=False),
        "blob?": wire.WantBlob(digest=bytes(32), offset=0, count=9),
        "blob": wire.BlobFrame(digest=bytes(32), offset=0, data=b"content"),
        "relay": actor.relay(wire.AskHears(machine=A), to=B),
        **order_frames(actor.begin(LEDGER)),
    }


@pytest.mark.parametrize("name", sorted(every_frame()))
def test_every_frame_is_read_as_it_was_written(name: str) -> None:
    frame = every_frame()[name]
    data = wire.encode_frame(frame)
    prepared = _prepared(data)
    assert (prepared.frame, prepared.size) == (frame, len(data))
    assert not any(_codes(prepared))


def test_no_frame_was_forgotten_here() -> None:
    assert set(every_frame()) == wire._KNOWN


def test_a_frame_of_a_newer_version_is_no_fault() -> None:
    assert _prepared(pack({"t": "dance", "steps": 3})).frame is None


def test_a_field_of_a_newer_version_is_no_fault() -> None:
    assert _prepared(pack({"t": "own?", "why": "curious"})).frame == wire.OwnQuery()


def test_a_record_of_a_newer_version_is_no_fault() -> None:
    assert _prepared(wire.RecordFrame(kind="mood", envelope=b"?")).frame is None


@pytest.mark.parametrize(
    "data", [b"", b"\xc0", pack([]), pack({}), pack({"t": 1}), pack({"t": None, "a": 1})], ids=repr
)
def test_what_is_no_map_with_a_name_is_no_frame(data: bytes) -> None:
    with pytest.raises(PeerFault) as caught:
        _prepared(data)
    assert caught.value.code in ("bad_frame", "malformed")


def test_a_frame_over_the_bound_is_not_parsed() -> None:
    refused_with("oversized", lambda: _prepared(bytes(limits.FRAME_BYTES_MAX + 1)))


def test_more_entries_than_the_bound_are_not_verified() -> None:
    entry = Actor(C).begin()
    refused_with("oversized", lambda: _prepared(entries(*[entry] * (limits.ENTRIES_PER_FRAME_MAX + 1))))


def test_a_tampered_entry_is_an_error_in_its_place_and_the_rest_is_good() -> None:
    one, two, three = Actor(C).mail(3)
    good = [wire.WireEntry(header=e.raw, body=e.body) for e in (one, three)]
    prepared = _prepared(wire.EntriesFrame(entries=[good[0], _spoiled(two), good[1]]))
    assert _codes(prepared) == ["", "bad_signature", ""]
    assert (prepared.parts[0], prepared.parts[2]) == (one, three)


def test_a_swapped_body_is_an_error_in_its_place() -> None:
    one, two, three = Actor(C).mail(3)
    swapped = wire.WireEntry(header=two.raw, body=three.body)
    assert _codes(_prepared(wire.EntriesFrame(entries=[swapped]))) == ["wrong_body"]
    assert one.body is not None


def test_a_header_over_its_bound_is_an_error_in_its_place() -> None:
    huge = wire.WireEntry(header=bytes(limits.ENTRY_HEADER_BYTES_MAX + 1), body=None)
    assert _codes(_prepared(wire.EntriesFrame(entries=[huge]))) == ["oversized"]


def test_an_unknown_author_is_introduced_by_the_first_entry_of_its_chain() -> None:
    newcomer = Actor(D)
    first, second = newcomer.mail(2)
    prepared = _prepared(entries(first, second))
    assert prepared.parts == (first, second)
    assert prepared.certificates == ((newcomer.identity.leaf, newcomer.identity.issuer),)


def test_an_unknown_author_without_an_introduction_is_unknown() -> None:
    assert _codes(_prepared(entries(Actor(D).mail(2)[1]))) == ["unknown_author"]


def test_an_introduction_after_the_entry_comes_too_late_for_it() -> None:
    first, second = Actor(D).mail(2)
    assert _codes(_prepared(entries(second, first))) == ["unknown_author", ""]


def test_a_stranger_cannot_introduce_itself() -> None:
    stranger = keys("another fleet").identities[D]
    actor = Actor(D)
    actor.identity = stranger
    assert _codes(_prepared(entries(actor.begin()))) == ["wrong_fleet"]


def test_a_known_author_is_not_introduced_again() -> None:
    assert _prepared(entries(Actor(C).begin())).certificates == ()


def test_a_later_incarnation_without_a_countersignature_is_an_error_in_its_place() -> None:
    assert _codes(_prepared(entries(Actor(C, incarnation=2).begin(LEDGER)))) == ["not_countersigned"]


def test_a_heartbeat_signed_as_a_frontier_does_not_verify() -> None:
    frontier = Actor(C).frontier()
    assert _codes(_prepared(wire.Beat(envelope=frontier.envelope))) == ["wrong_context"]


def test_a_frontier_sent_as_a_floor_does_not_verify() -> None:
    frontier = Actor(C).frontier()
    assert _codes(_prepared(wire.RecordFrame(kind="floor", envelope=frontier.envelope))) == ["wrong_context"]


def test_a_relayed_frame_is_unpacked() -> None:
    inner = entries(*Actor(C).mail(2))
    prepared = _prepared(Actor(C).relay(inner, to=B))
    assert prepared.relay is not None
    assert (prepared.relay.source, prepared.relay.destination) == (C, B)
    assert prepared.inner is not None
    assert prepared.inner.frame == inner
    assert all(isinstance(part, Entry) for part in prepared.inner.parts)


def test_what_is_wrong_inside_a_relayed_frame_is_told_apart_from_its_envelope() -> None:
    prepared = _prepared(Actor(C).relay(b"no frame", to=B))
    assert isinstance(prepared.parts[0], Verified)
    assert isinstance(prepared.parts[1], PeerFault)
    assert prepared.inner is None


def test_a_tampered_relay_is_refused_as_a_whole() -> None:
    relay = Actor(C).relay(wire.OwnQuery(), to=B)
    spoiled = wire.Relay(envelope=relay.envelope[:-1] + bytes([relay.envelope[-1] ^ 1]))
    refused_with("bad_signature", lambda: _prepared(spoiled))


def test_a_relay_in_the_name_of_another_is_refused() -> None:
    payload = wire.RelayPayload(source=A, start=1, destination=B, counter=1, time_ms=1, frame=pack({"t": "own?"}))
    envelope = Actor(C).seal("roosync/relay/1", encode(payload))
    refused_with("wrong_source", lambda: _prepared(wire.Relay(envelope=envelope)))


@pytest.mark.parametrize("field", ["start", "counter", "time_ms"])
def test_a_relay_with_an_impossible_number_is_refused(field: str) -> None:
    numbers = {"start": 1, "counter": 1, "time_ms": 1, field: -1}
    payload = wire.RelayPayload(source=C, destination=B, frame=pack({"t": "own?"}), **numbers)
    envelope = Actor(C).seal("roosync/relay/1", encode(payload))
    refused_with("bad_field", lambda: _prepared(wire.Relay(envelope=envelope)))


def test_a_relay_in_a_relay_is_one_hop_too_many() -> None:
    actor = Actor(C)
    prepared = _prepared(actor.relay(actor.relay(wire.OwnQuery(), to=B), to=B))
    assert _codes(prepared) == ["", "too_many_hops"]


def test_relays_nested_a_thousand_times_cost_no_more_than_one() -> None:
    actor = Actor(C)
    frame: wire.Frame = wire.OwnQuery()
    for _ in range(400):
        frame = actor.relay(frame, to=B)
    assert _codes(_prepared(frame)) == ["", "too_many_hops"]


@given(st.binary(max_size=300))
def test_random_bytes_are_accepted_or_a_documented_fault(data: bytes) -> None:
    accepted_or_documented(lambda: _prepared(data))


@settings(max_examples=200)
@given(st.data())
def test_mutated_frames_are_accepted_or_a_documented_fault(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(every_frame())))
    frame = bytearray(wire.encode_frame(every_frame()[name]))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(frame) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "repeat"])):
            case "flip":
                frame[where] = data.draw(st.integers(0, 255))
            case "cut":
                del frame[where : where + data.draw(st.integers(1, 8))]
            case _:
                frame[where:where] = frame[where : where + data.draw(st.integers(1, 8))]
        if not frame:
            break
    accepted_or_documented(lambda: _prepared(bytes(frame)))


_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(max_size=8), st.binary(max_size=40)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.sampled_from(sorted(every_frame())), st.data())
def test_frames_with_any_value_in_any_field_are_accepted_or_a_documented_fault(name: str, data: st.DataObject) -> None:
    value = msgspec.to_builtins(every_frame()[name], builtin_types=(bytes,))
    fields = [field for field in value if field != "t"] or ["more"]
    value[data.draw(st.sampled_from(fields))] = data.draw(_values)
    accepted_or_documented(lambda: _prepared(pack(value)))
