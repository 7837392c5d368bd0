"""The commit log of a node, joined for its core: entries and messages in, outcomes and answers out (ordering.md)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from roosync_p2p.core import wire
from roosync_p2p.consensus.items import Batch, LogItem, Seat
from roosync_p2p.consensus.raft import Status
from roosync_p2p.consensus.state import Role
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commands import AcceptClock, HandOver, OrderEntry, ReadLedger, Recover
from roosync_p2p.core.commit.applier import Applier, Committed
from roosync_p2p.core.commit.asks import Asks
from roosync_p2p.core.commit.beat_facts import BeatFacts
from roosync_p2p.core.commit.entries_by_id import EntriesById
from roosync_p2p.core.commit.lone import LoneVoter
from roosync_p2p.core.commit.order import Order
from roosync_p2p.core.commit.proposer import Proposer
from roosync_p2p.core.commit.reads import Reads
from roosync_p2p.core.commit.votes import Votes
from roosync_p2p.core.commit.waiting import Cursor, Waiting
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import ReadId, RequestId, Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.forks import Forks
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.links import Links
from roosync_p2p.core.lives import Lives
from roosync_p2p.core.presence import Presence
from roosync_p2p.core.rows import Loaded
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.ids import EntryId, LogIndex, MachineId, StoreId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.verdicts import State as Verdict

__all__ = ["CommitLog"]
