"""One running node without sockets: a core, a performer and a store, in a real event loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import anyio

from roosync_p2p.adapters.system import read_now, seed_entropy
from roosync_p2p.core import effects
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.memory_transport import MemoryNetwork, MemoryTransport
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.core.ports import Store
from roosync_p2p.entropy import Entropy
from roosync_p2p.liveness.profile import LAN
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.performer import Performer
from tests.helpers.virtual_time import VirtualTime

__all__ = ["Node", "running", "until"]


class Node:
    """A running performer, its events, and the network that it is alone on."""

    def __init__(self, identity: NodeIdentity, store: Store) -> None:
        self.events = EventLog()
        self.told: list[effects.Notify] = []
        core = NodeCore(
            identity=identity,
            loaded=store.load(),
            profile=LAN,
            entropy=seed_entropy(),
            now=read_now(),
            startup_check=False,
        )
        self.performer = Performer(core, store, self._heard)
        self.time = VirtualTime()
        network = MemoryNetwork(self.time.schedule, Entropy(bytes(16)))
        self.transport = MemoryTransport(
            network,
            name=identity.machine,
            addresses=["10.0.0.1:47600"],
            leaf=identity.leaf,
            sink=self.performer.arrived,
        )
        self.performer.attach(self.transport)

    def _heard(self, event: effects.Notify) -> None:
        self.told.append(event)
        self.events.add(event.event, event.data)


@contextlib.asynccontextmanager
async def running(identity: NodeIdentity, store: Store) -> AsyncIterator[Node]:
    """A node that runs until the block ends; it is stopped in good order then."""
    node = Node(identity, store)
    with anyio.fail_after(20.0):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(node.performer.run)
            yield node
            await node.performer.stop("the test is over")
            await node.performer.ended.wait()


async def until(done: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Lets other tasks run until something is so; fails if it never is."""
    with anyio.fail_after(within_s):
        while not done():  # noqa: ASYNC110 - what is waited for has no event
            await anyio.sleep(0.005)
