"""What a signature is for (docs/protocol/trust.md §2).

The context is the first piece of what is signed, so a signature made for one purpose opens nothing else. A new
purpose takes a new name; the number at the end changes when the meaning of the payload does.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "APPROVAL",
    "CONTEXTS",
    "ENTRY",
    "FLOOR",
    "FOLDER_HEARTBEAT",
    "FOLDER_LOG",
    "FRONTIER",
    "HEARTBEAT",
    "INCARNATION",
    "LASTING",
    "RELAY",
    "RENEWAL",
    "ROTATION",
    "SEALING",
    "SESSIONS",
    "STATEMENT",
    "VOTE",
    "VOTERS",
]

ENTRY: Final = "roosync/entry/1"  # the header of an entry, by its author
HEARTBEAT: Final = "roosync/heartbeat/1"  # that a node lives, by its machine
FRONTIER: Final = "roosync/frontier/1"  # what a node has received, by its machine
FLOOR: Final = "roosync/floor/1"  # from where an author still keeps its chain
SESSIONS: Final = "roosync/sessions/1"  # which agents work on a machine, by that machine
RELAY: Final = "roosync/relay/1"  # a frame passed on by a third member, by its source
STATEMENT: Final = "roosync/statement/1"  # what only the root or an issuer may say
INCARNATION: Final = "roosync/incarnation/1"  # an issuer's countersignature of a new incarnation
RENEWAL: Final = "roosync/renewal/1"  # that a machine asks for its next certificate, on the joining path
ROTATION: Final = "roosync/rotation/1"  # that a machine has another key from now on, by its old one
SEALING: Final = "roosync/sealing/1"  # for which key messages to a machine are sealed, by that machine
APPROVAL: Final = "roosync/approval/1"  # a person's verdict; no envelope (docs/protocol/ledger.md §8)
VOTE: Final = "roosync/vote/1"  # for whom a machine voted in a term, by that machine
VOTERS: Final = "roosync/voters/1"  # a change of the voters of the commit log, by the leader that made it
FOLDER_HEARTBEAT: Final = "roosync/folder-heartbeat/1"  # a heartbeat file with its probe, by its machine
FOLDER_LOG: Final = "roosync/folder-log/1"  # a run of the commit log in the shared folder, by whoever put it there

# What was signed once and is verified for ever, also by a key that its machine gave up since.
LASTING: Final = frozenset({ENTRY, FLOOR, VOTE, VOTERS, ROTATION})
CONTEXTS: Final = frozenset(
    {
        *(ENTRY, HEARTBEAT, FRONTIER, FLOOR, RELAY, STATEMENT, INCARNATION, RENEWAL, VOTE, VOTERS),
        *(FOLDER_HEARTBEAT, FOLDER_LOG, ROTATION, SESSIONS, SEALING),
    }
)
