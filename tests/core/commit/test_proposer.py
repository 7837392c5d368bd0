"""What a leader takes into its next batch."""

from __future__ import annotations

from roosync_p2p.codec.records import encode
from roosync_p2p.core.commit.proposer import Proposer
from roosync_p2p.core.commit.waiting import Waiting
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import Entry
from roosync_p2p.ids import EntryId
from roosync_p2p.ledger.bodies import RulesSupport
from roosync_p2p.ledger.cursors import cursor_of
from tests.ledger.history import FLEET, A, B, History


def test_an_author_whose_entry_had_to_be_read_from_the_disk_is_taken_once_that_was() -> None:
    history = History(B)
    ordered = [entry for _, _, entry in history.log if entry.author == B]
    entry = history.author(B).write("rules.support", encode(RulesSupport(version=1)))
    waiting, asked = _waiting([*ordered, entry], history)
    proposer = Proposer(
        A, waiting, state=lambda: history.state, root=FLEET.root, held_back=lambda _place: False, load=asked.append
    )
    assert proposer.batch() == ()
    assert asked == [entry.id]
    waiting.keep(entry)
    assert proposer.batch() == (), "looked at again for every input it would cost too much"
    proposer.loaded(asked)
    assert proposer.batch() == (entry.id,)


def _waiting(chain: list[Entry], history: History) -> tuple[Waiting, list[EntryId]]:
    """As a start finds it: what is held is known by its id alone."""
    chains = Chains()
    for entry in chain:
        chains.append(entry)
    return Waiting(chains, lambda author: cursor_of(history.state, author).place), []
