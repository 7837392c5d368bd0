"""``up``: one node in the foreground, from the home on disk to the sockets, and back down again.

1. the home, its settings, its identity      nothing is open yet; whatever is wrong is said and nothing was changed
2. the lock, the store                       from here on this process is the node of this home
3. the core                                  loaded, its start number on the way to the disk
4. links, discovery, the API                 ``ready`` is printed when links and API are open
5. farewell                                  the last heartbeat, the last writes, the links, the API, the lock
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import anyio.abc

from roosync_p2p import limits
from roosync_p2p.adapters.backup_mark import is_backed_up
from roosync_p2p.adapters.blob_files import BlobFiles
from roosync_p2p.adapters.home import Home, create_home, read_settings
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.interfaces import local_addresses
from roosync_p2p.adapters.keystore import Identity, has_identity, load_identity
from roosync_p2p.adapters.mdns import MdnsDiscovery, NodeSeen, browse_fleets
from roosync_p2p.adapters.next_key import finish_rotation
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.adapters.shared_folder.opening import Candidates
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.adapters.system import read_now, seed_entropy
from roosync_p2p.adapters.websocket.tls import TlsIdentity
from roosync_p2p.adapters.websocket.transport import WebsocketTransport
from roosync_p2p.clock import rfc3339
from roosync_p2p.core import effects, inputs
from roosync_p2p.core.commit.ended import require_member
from roosync_p2p.core.folder.shared_folder import FOLDER_USED
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.rotations import lost_record
from roosync_p2p.core.rows import Loaded, PendingRow
from roosync_p2p.core.settings import Settings, parse_host_port, parse_toml, with_folder
from roosync_p2p.core.wire import prepare_frames
from roosync_p2p.errors import EnvironmentFault, RoosyncError
from roosync_p2p.ids import EntryId
from roosync_p2p.liveness.profile import NAMED, Profile, custom
from roosync_p2p.node.backend import NodeBackend
from roosync_p2p.node.certificate_service import CertificateService
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.folder_door import FolderDoor
from roosync_p2p.node.folder_service import FolderService
from roosync_p2p.node.ledger_services import LedgerServices
from roosync_p2p.node.logs import open_log
from roosync_p2p.node.mail_facts import MailFacts
from roosync_p2p.node.mail_services import MailServices
from roosync_p2p.node.mcp_watch import McpWatch
from roosync_p2p.node.membership_service import MembershipService
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.power_watch import watch_battery, watch_power
from roosync_p2p.node.stopped import check_machine
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.node.why_service import WhyService
from roosync_p2p.trust.statements import FLEET_FOUND
from roosync_p2p.version import __version__

__all__ = ["READY", "ServeApi", "run_node"]

READY: Final = "ready"  # is said when links and API are open

_LOG: Final = logging.getLogger(__name__)
_LEVELS: Final = {  # of events in the log; the others are informative
    "fork": logging.WARNING,
    "identity": logging.WARNING,
    "store": logging.WARNING,
    "folder": logging.WARNING,
    "folder_quarantine": logging.WARNING,
    "alarm": logging.WARNING,
    "sessions": logging.DEBUG,  # every use of one is told, once a minute
    "commit": logging.DEBUG,  # the commit log is a log itself
}


class ServeApi(Protocol):
    """How the local API is served: a floor above, so it is handed in."""

    def __call__(
        self, backend: NodeBackend, home: Path, *, task_status: anyio.abc.TaskStatus[Any]
    ) -> Coroutine[Any, Any, None]: ...


def run_node(
    home: Path,
    *,
    listen: str | None,
    peers: tuple[str, ...],
    mdns: bool | None,
    folder: str | None = None,
    ready_file: Path | None,
    serve_api: ServeApi,
    say: Callable[[str], None] = print,
) -> int:
    """Runs the node of a home until it is told to stop; the exit code.

    Args:
        listen: ``HOST:PORT`` instead of the setting.
        peers: addresses to dial besides those of the settings.
        mdns: whether to use discovery, instead of the setting.
        folder: the shared folder, instead of the setting.
        ready_file: written when links and API are open.
        serve_api: serves the local API.
        say: prints a line for people.

    Raises:
        RoosyncError: the node cannot start; nothing was changed.
    """
    place = Home(home)
    if not has_identity(home):
        raise _no_identity(home, mdns=mdns is not False)
    create_home(place, os.environ)
    settings = parse_toml(read_settings(place))
    identity = load_identity(home)
    check_machine(settings, identity)
    prepare_frames()
    started = rfc3339(read_now().wall_ms)
    with HomeLock.acquire(place.lock_file, program="roosync up", started=started):
        handler = open_log(place.logs, settings.node.log_level)
        store = SqliteStore.open(place.database)
        try:
            settings = settings if folder is None else with_folder(settings, folder)
            node = _Node(place, settings, identity, store, serve_api, say)
            return anyio.run(
                node.run,
                listen or settings.node.listen,
                (*settings.discovery.peers, *peers),
                settings.discovery.mdns if mdns is None else mdns,
                ready_file,
            )
        except BaseExceptionGroup as group:  # what ends a task group comes wrapped in it, a taken port too
            fault = _only_fault(group)
            if fault is None:
                raise
            raise fault from group
        finally:
            store.close()
            logging.getLogger().removeHandler(handler)
            handler.close()


class _Node:
    """The tasks of one running node."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        identity: Identity,
        store: SqliteStore,
        serve_api: ServeApi,
        say: Callable[[str], None],
    ) -> None:
        self._home = home
        self._settings = settings
        self._identity = identity
        self._store = store
        self._serve_api = serve_api
        self._say = say
        self._events = EventLog()
        self._blobs = BlobFiles(home.blobs)

    async def run(self, listen: str, peers: tuple[str, ...], mdns: bool, ready_file: Path | None) -> int:
        around = Surroundings(
            store=self._store,
            mdns=mdns,
            remind=self._settings.node.reminders,
            backed_up=lambda keys: is_backed_up(self._home.path, keys),
        )
        loaded = _with_lost(self._store, self._identity)
        self._identity = finish_rotation(self._home.path, self._identity, loaded)
        loaded = _with_founding(loaded, self._identity)
        core = NodeCore(
            identity=_node_identity(self._identity),
            loaded=loaded,
            profile=_profile(self._settings),
            entropy=seed_entropy(),
            now=read_now(),
        )
        require_member(core.desk, core.commit.state)
        performer = Performer(core, self._store, self._heard, self._blobs)
        membership = MembershipService(performer, self._identity, loaded.invites)
        async with anyio.create_task_group() as tasks, anyio.create_task_group() as links:
            transport = WebsocketTransport(
                _tls(self._identity),
                performer.arrived,
                links,
                handle_join=membership.serve_joiner,
                join_open=membership.join_open,
                throttle=performer.finish_frame,
            )
            performer.attach(transport)

            def use(identity: Identity) -> None:
                transport.update_identity(_tls(identity))
                membership.use(identity)

            certificates = CertificateService(performer, self._home.path, self._identity, use=use)
            around.traffic = lambda: dataclasses.asdict(transport.counters)
            host, port = parse_host_port(listen, key="listen")
            around.listening = await tasks.start(transport.serve, host, port)
            port = parse_host_port(around.listening[0])[1]
            around.reachable = self._reachable(host, port)
            performer.feed(inputs.LocalAddresses(addresses=around.reachable))
            if peers:
                addresses = tuple(peer.removeprefix("wss://").rstrip("/") for peer in peers)
                performer.feed(inputs.AddressesFound(machine=None, addresses=addresses, source="static"))
            tasks.start_soon(self._watch_addresses, performer, around, host, port)
            if mdns:
                tasks.start_soon(self._discover, performer, around, port)
            services = LedgerServices.over(
                performer, self._store, self._events, around, tasks=tasks, sessions_file=self._home.sessions_file
            )
            mails = MailServices.over(
                performer,
                self._store,
                self._events,
                services.sessions,
                around,
                self._settings,
                self._home,
                blobs=self._blobs,
            )
            backend = NodeBackend(
                performer,
                mails.mail,
                mails.mailbox,
                mails.attachments,
                membership,
                certificates,
                services,
                self._events,
                around,
                WhyService(performer.core, services.ledger, MailFacts(performer, self._store, mails.seals)),
            )
            await tasks.start(_started(self._serve_api, backend, self._home.path))
            await tasks.start(_signals, around)  # whoever reads "ready" may send one
            tasks.start_soon(performer.run)
            tasks.start_soon(watch_power, performer, around)
            tasks.start_soon(watch_battery, performer)
            folder = await self._open_folder(performer, membership, loaded, tasks)
            around.folder = None if folder is None else folder.place
            for task in (certificates.watch, mails.run, services.keeper.run, *self._mcp(around)):
                tasks.start_soon(task)
            self._ready(around, ready_file)
            await around.stop.wait()
            _LOG.info("stopping: %s", around.stop_reason)
            with anyio.CancelScope(shield=True), anyio.move_on_after(limits.SHUTDOWN_S):
                await performer.stop(around.stop_reason)
                await performer.ended.wait()
                if folder is not None:
                    await folder.drained()
                await transport.close_all("leaving")
            links.cancel_scope.cancel()
            tasks.cancel_scope.cancel()
        self._say("stopped")
        return 0

    async def _open_folder(
        self,
        performer: Performer,
        membership: MembershipService,
        loaded: Loaded,
        tasks: anyio.abc.TaskGroup,
    ) -> FolderService | None:
        chosen = self._settings.folder
        if not chosen.enabled or not chosen.path:
            return None
        paths = _places(chosen.path)
        founds = self._identity.issuer_key is not None and FOLDER_USED not in loaded.meta
        folder = Candidates(paths, self._identity.fleet, founds=founds)
        service = FolderService(performer, folder, lambda: folder.root, self._blobs)
        await tasks.start(service.run)
        tasks.start_soon(FolderDoor(service, membership, self._identity).run)
        return service

    def _mcp(self, around: Surroundings) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """What keeps the MCP server for all agents of this computer, if one is wanted."""
        return (McpWatch(self._home, warn=around.warn_of_mcp).run,) if self._settings.mcp.http else ()

    def _ready(self, around: Surroundings, ready_file: Path | None) -> None:
        _LOG.info("ready: %s, version %s, at %s", self._identity.machine, __version__, ", ".join(around.listening))
        if ready_file is not None:
            write_private(ready_file, f"{os.getpid()}\n".encode())
        self._say(f"{self._identity.machine} of fleet {self._identity.fleet_name}: {', '.join(around.listening)}")
        self._say(READY)

    def _heard(self, event: effects.Notify) -> None:
        data = dict(event.data)
        if event.event in (
            "receipt",
            "amended",
            "attachment",
        ):  # the core knows messages by their entries, clients by their ids
            row = self._store.message(EntryId(bytes.fromhex(str(data["entry"]))))
            data["id"] = None if row is None else row.message_id
        self._events.add(event.event, data)
        level = _LEVELS.get(event.event, logging.INFO)
        _LOG.log(level, "%s %s", event.event, event.data)

    def _reachable(self, host: str, port: int) -> tuple[str, ...]:
        if host not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
            return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",)
        try:
            return local_addresses(port, self._settings.discovery.interfaces)
        except OSError as error:
            _LOG.warning("the operating system does not say which addresses this computer has: %s", error)
            return ()

    async def _watch_addresses(self, performer: Performer, around: Surroundings, host: str, port: int) -> None:
        """Addresses come and go with cables, radios and tunnels."""
        while True:
            await anyio.sleep(limits.INTERFACE_POLL_S)
            reachable = await anyio.to_thread.run_sync(self._reachable, host, port)
            if reachable != around.reachable:
                around.reachable = reachable
                performer.feed(inputs.LocalAddresses(addresses=reachable))

    async def _discover(self, performer: Performer, around: Surroundings, port: int) -> None:
        def found(node: NodeSeen) -> None:
            around.mdns_warning = ""
            performer.feed(inputs.AddressesFound(machine=node.machine, addresses=node.addresses, source="mdns"))

        def warned(message: str) -> None:
            around.mdns_warning = message
            _LOG.warning("%s", message)

        await MdnsDiscovery(
            fleet=self._identity.fleet,
            machine=self._identity.machine,
            port=port,
            found=found,
            warned=warned,
            wanted=self._settings.discovery.interfaces,
        ).run()


def _places(paths: tuple[str, ...]) -> list[Path]:
    return [Path(path).expanduser().absolute() for path in paths]


def _only_fault(error: BaseException) -> RoosyncError | None:
    """The one fault for which task groups, each inside the other, ended; None if it is anything else."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, OSError):  # nobody nearer to it knew what it means
        _LOG.error("the node ends", exc_info=error)
        return _system_refused(error)
    return error if isinstance(error, RoosyncError) else None


def _system_refused(error: OSError) -> EnvironmentFault:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return EnvironmentFault(
        f"the system refused what the node needs, and the node ended: {error}; what was acknowledged is kept",
        code="disk_full" if full else "system_refused",
        remedy="free some space and start it again" if full else "logs/node.jsonl in the home says where it happened",
    )


def _started(serve_api: ServeApi, backend: NodeBackend, home: Path) -> Callable[..., Coroutine[Any, Any, None]]:
    async def serve(*, task_status: anyio.abc.TaskStatus[Any]) -> None:
        await serve_api(backend, home, task_status=task_status)

    return serve


async def _signals(
    around: Surroundings, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Ctrl-C and SIGTERM end the node in good order; so does closing its terminal (SIGHUP, on Windows SIGBREAK)."""
    if sys.platform == "win32":
        await _windows_signals(around, task_status)
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # ignored: ``nohup``
        numbers.append(hangup)
    with anyio.open_signal_receiver(*numbers) as received:
        task_status.started()
        async for number in received:
            around.ask_to_stop(signal.Signals(number).name)


async def _windows_signals(around: Surroundings, task_status: anyio.abc.TaskStatus[None]) -> None:
    """The event loops of Windows take no signal handlers: Python's own are used, which only wake the loop."""
    loop = asyncio.get_running_loop()

    def handler(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(around.ask_to_stop, signal.Signals(number).name)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), handler) for name in names}
    try:
        task_status.started()
        await anyio.sleep_forever()
    finally:
        for name, old in before.items():
            signal.signal(getattr(signal, name), old)


def _with_founding(loaded: Loaded, identity: Identity) -> Loaded:
    """Queues ``fleet.found`` when ``init`` was killed before it could."""
    fresh = "store" not in loaded.meta and not loaded.pending
    if not fresh or identity.fleet_found is None:
        return loaded
    row = PendingRow(number=1, kind=FLEET_FOUND, body=identity.fleet_found)
    return dataclasses.replace(loaded, pending=(row,))


def _with_lost(store: SqliteStore, identity: Identity) -> Loaded:
    """What the store holds; the first time also the root's word that came with the identity."""
    loaded = store.load()
    if identity.key_lost is None:
        return loaded
    row = lost_record(identity.key_lost)
    if any((held.kind, held.author, held.subject) == (row.kind, row.author, row.subject) for held in loaded.records):
        return loaded
    store.commit([row])
    return store.load()


def _tls(identity: Identity) -> TlsIdentity:
    return TlsIdentity(chain=identity.chain_path, key=identity.key_path, root=identity.root_path)


def _node_identity(identity: Identity) -> NodeIdentity:
    return NodeIdentity(
        machine=identity.machine,
        fleet=identity.fleet,
        key=identity.key,
        leaf=identity.leaf,
        issuer=identity.issuer,
        root=identity.root,
        issuer_key=identity.issuer_key,
        own_issuer=identity.own_issuer,
    )


def _profile(settings: Settings) -> Profile:
    liveness = settings.liveness
    if liveness.profile in NAMED:  # a profile has more numbers than the settings show
        return NAMED[liveness.profile]
    return custom(interval_s=liveness.interval_s, suspect_s=liveness.suspect_s, offline_s=liveness.offline_s)


def _no_identity(home: Path, *, mdns: bool) -> EnvironmentFault:
    """Nobody knows this machine yet: say which fleets are near, and the two commands that help."""
    if home.exists() and not home.is_dir():
        return EnvironmentFault(
            f"{home} is a file; the home is a directory",
            code="home_not_directory",
            remedy="choose another home with --home",
        )
    seen: tuple[NodeSeen, ...] = ()
    if mdns:
        try:
            seen = anyio.run(browse_fleets, limits.FLEETS_BROWSE_S)
        except OSError as error:
            _LOG.info("discovery does not work on this network: %s", error)
    fleets: dict[str, list[str]] = {}
    for node in seen:
        fleets.setdefault(node.fleet.hex(), []).append(node.machine)
    near = "; ".join(f"fleet {fleet[:16]}… with {', '.join(sorted(found))}" for fleet, found in sorted(fleets.items()))
    return EnvironmentFault(
        f"this machine has no identity in {home}. On this network: {near or 'no fleet was seen'}",
        code="no_identity",
        remedy="found a fleet with `roosync-admin init`, or join one with `roosync join CODE`",
        details={"fleets": {fleet: sorted(found) for fleet, found in fleets.items()}},
    )
