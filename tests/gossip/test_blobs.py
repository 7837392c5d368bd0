"""Who helps is the same for all that see the same; a slow line is asked for little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.gossip.blobs import Pace, helpers_of
from roosync_p2p.ids import MachineId

NAMES = [MachineId(f"machine-{number}") for number in range(9)]


@given(st.binary(min_size=32, max_size=32), st.sets(st.sampled_from(NAMES)), st.permutations(NAMES))
def test_the_helpers_depend_on_who_is_awake_and_not_on_the_order(
    digest: bytes, involved: set[MachineId], awake: list[MachineId]
) -> None:
    helpers = helpers_of(digest, awake, involved)
    assert helpers == helpers_of(digest, NAMES, involved)
    assert not set(helpers) & involved
    assert len(helpers) == min(limits.BLOB_HELPERS_MAX, len(set(NAMES) - involved))


@given(st.binary(min_size=32, max_size=32), st.sets(st.sampled_from(NAMES), min_size=4))
def test_when_one_falls_asleep_the_other_helper_stays(digest: bytes, awake: set[MachineId]) -> None:
    before = helpers_of(digest, awake, ())
    after = helpers_of(digest, awake - {before[0]}, ())
    assert before[1] in after


def test_chunks_grow_while_they_come_quickly_and_shrink_when_they_do_not() -> None:
    pace = Pace()
    for _ in range(9):
        pace.came(0.001)
    assert pace.bytes == limits.BLOB_CHUNK_BYTES_MAX
    pace.came(2 * limits.BLOB_CHUNK_S)
    assert pace.bytes == limits.BLOB_CHUNK_BYTES_MAX, "a little late is no reason"
    for _ in range(9):
        pace.came(4 * limits.BLOB_CHUNK_S)
    assert pace.bytes == limits.BLOB_CHUNK_BYTES_MIN
