"""A mailbox of years: messages brought in through the local API by three authors, and read while more arrive."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import psutil

from roosync_p2p.api.client import Client
from roosync_p2p.api.sync_client import SyncClient
from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution
from tests.helpers.fleet import Fleet, Machine, until

__all__ = ["run"]

SECTION: Final = "Mailbox"
READER: Final = "machine-r"
AUTHORS: Final = ("machine-a", "machine-b", "machine-c")
WORDS: Final = ("données", "synchronisation", "branche", "configuration", "erreur", "tests", "décision", "fusion")
BODY: Final = "La branche principale attend une décision sur la configuration. " * 4
ARRIVING_PER_S: Final = 20
FILLED_S: Final = 1_800.0
PAGE: Final = 50
MB: Final = 1_000_000


def run(report: Report, plan: Plan) -> None:
    """Fills the inbox of one machine, and looks at it as its agents do."""
    with Fleet.found(READER, *AUTHORS) as fleet:
        fleet.let_send()
        fleet.start_all()
        fleet.until_linked()
        reader, authors = fleet.machines[READER], [fleet.machines[name] for name in AUTHORS]
        _fill(report, plan, reader, authors)
        with _arriving(authors):
            _read(report, plan, reader)
        _restart(report, plan, reader)


def _fill(report: Report, plan: Plan, reader: Machine, authors: list[Machine]) -> None:
    began = time.monotonic()
    anyio.run(_send_all, [author.home for author in authors], plan)
    sent_s = time.monotonic() - began
    held = plan.mailbox // len(authors) * len(authors)
    until(lambda: _count(reader) >= held, FILLED_S, what=f"{held} messages are in the inbox", shown=reader.log)
    values = {"count": float(held), "per s": held / sent_s, "mean": sent_s / held * 1000}
    size = sum(file.stat().st_size for file in reader.home.glob("node.db*"))
    memory = psutil.Process(reader.pid).memory_info().rss
    note = f"database of the reader {size / MB:.0f} MB, memory of its node {memory / MB:.0f} MB"
    report.add(_figure("a message through the API, three authors at once", "ms", values, note))


async def _send_all(homes: list[Path], plan: Plan) -> None:
    numbers = iter(range(plan.mailbox // len(homes)))

    async def worker(clients: list[Client]) -> None:
        for number in numbers:
            for client in clients:
                await client.send(READER, f"n° {number} {WORDS[number % len(WORDS)]}", BODY)

    async with anyio.create_task_group() as tasks:
        for _ in range(plan.messages_in_flight // len(homes)):
            tasks.start_soon(worker, [Client(home, environ={}) for home in homes])


@contextlib.contextmanager
def _arriving(authors: list[Machine]) -> Iterator[None]:
    """So many messages a second meanwhile."""
    over = threading.Event()

    def send() -> None:
        clients = [SyncClient(author.home, environ={}) for author in authors]
        due, number = time.monotonic(), 0
        while not over.wait(max(0.0, due - time.monotonic())):
            clients[number % len(clients)].send(READER, f"still {number}", BODY)
            due, number = due + 1 / ARRIVING_PER_S, number + 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _read(report: Report, plan: Plan, reader: Machine) -> None:
    client = reader.client
    note = f"while {ARRIVING_PER_S} a second arrive; over the local API"
    pages: tuple[tuple[str, Callable[[int], Any]], ...] = (
        (f"inbox page of {PAGE}, the newest", lambda _: client.inbox(status="all", limit=PAGE)),
        (
            f"inbox page of {PAGE}, of one sender",
            lambda n: client.inbox(status="all", limit=PAGE, sender=AUTHORS[n % 3]),
        ),
        (f"inbox page of {PAGE}, unread", lambda _: client.inbox(status="unread", limit=PAGE)),
        ("search, one word of an eighth of all", lambda n: client.search(WORDS[n % len(WORDS)], limit=PAGE)),
        ("search, two words of one message", lambda n: client.search(f"{n} {WORDS[n % len(WORDS)]}", limit=PAGE)),
    )
    for what, look in pages:
        took = []
        for number in range(plan.mailbox_looks):
            began = time.monotonic()
            look(number)
            took.append(time.monotonic() - began)
        report.add(_figure(what, "ms", distribution(took, 1000), note))


def _restart(report: Report, plan: Plan, reader: Machine) -> None:
    took, ready = [], []
    for _ in range(plan.restarts):
        reader.stop()
        began = time.monotonic()
        reader.start()
        ready.append(time.monotonic() - began)
        reader.client.inbox(status="all", limit=PAGE)
        took.append(time.monotonic() - began)
    report.add(_figure("restart of the node, until it is ready", "s", distribution(ready), ""))
    report.add(_figure("the same, until it has shown an inbox page", "s", distribution(took), ""))


def _count(machine: Machine) -> int:
    return int(machine.rows("SELECT count(*) FROM deliveries")[0][0])


def _figure(what: str, unit: str, values: dict[str, float], note: str) -> Figure:
    return Figure(section=SECTION, what=what, who="roosync", unit=unit, values=values, note=note)
