"""Working on a home: through the node that runs there, or with its lock held while none does.

A home has one writer. While a node runs it is the node, asked through its local API; else it is this tool, which
holds the same lock meanwhile. What the API does not tell is read beside the node through a read-only connection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.keystore import Identity, load_identity
from roosync_p2p.adapters.next_key import finish_rotation
from roosync_p2p.adapters.sqlite.connect import connect_reader
from roosync_p2p.adapters.sqlite.faults import explaining
from roosync_p2p.adapters.sqlite.opening import read_header, require_migrated, require_ours
from roosync_p2p.adapters.sqlite.read import load
from roosync_p2p.adapters.sqlite.schema import MIGRATIONS
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.clock import rfc3339
from roosync_p2p.core.revocations import known_keys, revoked_keys
from roosync_p2p.core.rotations import lost_keys
from roosync_p2p.core.rows import Loaded, LogLoaded, Row
from roosync_p2p.errors import EnvironmentFault, InputFault, NotRunningError
from roosync_p2p.ids import CommitNumber
from roosync_p2p.trust.directory import Directory

__all__ = ["Office", "ask_node", "directory_of", "hold_home", "open_office", "read_store"]

_EMPTY = Loaded(
    meta={},
    members=(),
    chains=(),
    records=(),
    forks=(),
    invites=(),
    pending=(),
    addresses=(),
    log=LogLoaded(),
    state=(),
    commits=CommitNumber(0),
    last_commit=None,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A home that this tool holds: nobody else writes to it.

    Attributes:
        loaded: the store as it was when the office was opened.
        directory: whose key is whose, as identity and store know it.
    """

    identity: Identity
    loaded: Loaded
    directory: Directory
    _store: SqliteStore

    def commit(self, rows: Sequence[Row]) -> None:
        """Makes the rows durable, all or none.

        Raises:
            StoreError: nothing was written.
        """
        self._store.commit(rows)

    def next_pending(self) -> int:
        """The number for the next ledger entry that the node is to write."""
        return max((row.number for row in self.loaded.pending), default=0) + 1

    def require_issuer(self) -> None:
        """Returns if this machine may admit others.

        Raises:
            InputFault: ``not_an_issuer``, naming the known ones.
        """
        if not self.identity.is_issuer:
            known = sorted({issuer.machine for issuer in self.directory.issuers.values()})
            raise InputFault(
                f"{self.identity.machine} is not an issuer; nothing was changed",
                code="not_an_issuer",
                remedy=f"run this on {' or '.join(known)}",
                details={"issuers": list(known)},
            )


def ask_node(home: Home, ask: Callable[[SyncClient], JsonObject]) -> JsonObject | None:
    """What the running node answers, or None if none runs at this home.

    Raises:
        NotRunningError: ``ROOSYNC_API`` names a node elsewhere, and it does not answer; this home is not it.
        RoosyncError: the node refused.
    """
    try:
        return ask(SyncClient(home.path))
    except NotRunningError:
        if os.environ.get("ROOSYNC_API"):
            raise
        return None


@contextlib.contextmanager
def hold_home(home: Home, program: str) -> Iterator[None]:
    """Holds the lock of an existing home.

    Raises:
        EnvironmentFault: ``home_in_use``, with the pid of the node that holds it.
    """
    with HomeLock.acquire(home.lock_file, program=program, started=rfc3339(read_now().wall_ms)):
        yield


@contextlib.contextmanager
def open_office(home: Home, program: str) -> Iterator[Office]:
    """Identity, lock and store of a machine without a running node, until the block ends.

    Raises:
        EnvironmentFault: no identity, a damaged one, or a home in use.
        StoreError: the store cannot be opened.
    """
    identity = load_identity(home.path)
    with hold_home(home, program), contextlib.closing(SqliteStore.open(home.database)) as store:
        loaded = store.load()
        identity = finish_rotation(home.path, identity, loaded)
        yield Office(identity=identity, loaded=loaded, directory=directory_of(identity, loaded), _store=store)


def read_store(home: Home) -> Loaded:
    """What the store holds at this moment, also beside a running node; nothing if there is none yet.

    Raises:
        StoreError: it is damaged, foreign, of a newer program, or in use by an older one.
    """
    if not home.database.exists():
        return _EMPTY
    try:
        # A reader that is the last to close leaves the log's files behind; so it is read as a writer where one may.
        with hold_home(home, "roosync-admin"), contextlib.closing(SqliteStore.open(home.database)) as store:
            return store.load()
    except EnvironmentFault as fault:
        if fault.code != "home_in_use":
            raise
    return _read_beside_node(home)


def directory_of(identity: Identity, loaded: Loaded) -> Directory:
    """Whose key is whose, from the identity and the members in the store."""
    directory = known_keys(identity.root, loaded).with_chain(identity.leaf, identity.issuer)
    directory = directory if identity.own_issuer is None else directory.with_issuer(identity.own_issuer)
    for said in lost_keys(loaded.records):
        directory = directory if said.old == identity.key.key_id else said.taken_into(directory)
    return directory.with_given_up(revoked_keys(loaded.records) - {identity.key.key_id})


def _read_beside_node(home: Home) -> Loaded:
    require_ours(home.database, read_header(home.database), MIGRATIONS[-1].number)
    with (
        explaining(home.database, "reading it"),
        contextlib.closing(connect_reader(home.database, busy_timeout_s=limits.STORE_BUSY_TIMEOUT_S)) as connection,
    ):
        require_migrated(connection, home.database, MIGRATIONS[-1].number)
        return load(connection)
