"""Notices of logind, over a real message bus that is ours alone."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("logind is Linux's", allow_module_level=True)

from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from roosync_p2p.adapters.power import Notice, PowerNotices, system_power
from roosync_p2p.adapters.power.logind import LogindPower, notice_of_signal
from tests.conformance.power_suite import LONG_S, Computer, Ears, PowerSuite
from tests.helpers.fake_logind import FakeLogind, dbus_missing, private_bus, signal

needs_bus = pytest.mark.skipif(bool(dbus_missing()), reason=dbus_missing())

_SIGNALS = {
    Notice.SUSPEND_SOON: ("PrepareForSleep", (True,)),
    Notice.SHUTDOWN_SOON: ("PrepareForShutdown", (True,)),
    Notice.RESUMED: ("PrepareForSleep", (False,)),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with private_bus(tmp_path) as address:
        yield address


class _LogindComputer(Computer):
    announced = frozenset(_SIGNALS)

    def __init__(self, address: str, service: FakeLogind) -> None:
        self._address = address
        self._service = service

    def notices(self, hold_s_max: float) -> PowerNotices:
        return LogindPower(pytest.fail, address=self._address, hold_s_max=hold_s_max)

    async def announce(self, notice: Notice) -> None:
        self._service.emit(*_SIGNALS[notice])

    async def can_be_held(self) -> None:
        await anyio.to_thread.run_sync(functools.partial(self._service.until, held=True))

    def is_held(self) -> bool:
        return self._service.is_held()

    async def until_free(self) -> None:
        await anyio.to_thread.run_sync(functools.partial(self._service.until, held=False))


@needs_bus
class TestLogindPower(PowerSuite):
    @pytest.fixture
    def computer(self, bus: str) -> Iterator[Computer]:
        with FakeLogind(bus) as service:
            yield _LogindComputer(bus, service)


@pytest.mark.parametrize(
    ("member", "body", "notice"),
    [
        ("PrepareForSleep", (True,), Notice.SUSPEND_SOON),
        ("PrepareForSleep", (False,), Notice.RESUMED),
        ("PrepareForShutdown", (True,), Notice.SHUTDOWN_SOON),
        ("PrepareForShutdown", (False,), Notice.RESUMED),
        ("SessionNew", (True,), None),
        ("PrepareForSleep", (), None),
        ("PrepareForSleep", ("yes",), None),
    ],
)
def test_a_signal_means(member: str, body: tuple[Any, ...], notice: Notice | None) -> None:
    assert notice_of_signal(member, body) is notice


async def _warnings(power: LogindPower, warnings: list[str]) -> None:
    """Lets it try a few times."""
    ears = Ears()
    async with anyio.create_task_group() as tasks:
        await tasks.start(power.run, ears.heard)
        with anyio.move_on_after(0.2):
            await anyio.sleep_forever()
        tasks.cancel_scope.cancel()
    ears.close()
    assert len(warnings) == 1, warnings


@pytest.mark.parametrize("address", ["unix:path=/nowhere/at/all", "tcp:host=localhost", "nonsense", "unix:path="])
@pytest.mark.anyio
async def test_a_computer_without_a_bus_is_told_once(address: str) -> None:
    warnings: list[str] = []
    await _warnings(LogindPower(warnings.append, address=address, retry_s=0.01), warnings)
    assert "not noticed" in warnings[0]


@needs_bus
@pytest.mark.anyio
async def test_a_bus_without_logind_is_told_once(bus: str) -> None:
    warnings: list[str] = []
    await _warnings(LogindPower(warnings.append, address=bus, retry_s=0.01), warnings)
    assert "org.freedesktop.login1" in warnings[0]


@needs_bus
@pytest.mark.anyio
async def test_a_logind_that_gives_no_lock_is_told_once(bus: str) -> None:
    warnings: list[str] = []
    with FakeLogind(bus, refuses=True):
        await _warnings(LogindPower(warnings.append, address=bus, retry_s=0.01), warnings)
    assert "AccessDenied" in warnings[0]


@needs_bus
@pytest.mark.anyio
async def test_a_bus_that_goes_away_and_comes_back_is_heard_again(tmp_path: Path) -> None:
    warnings: list[str] = []
    ears = Ears()
    address = f"unix:path={tmp_path / 'bus'}"
    async with anyio.create_task_group() as tasks:
        for life in range(2):
            with private_bus(tmp_path), FakeLogind(address) as service:
                if life == 0:
                    await tasks.start(LogindPower(warnings.append, address=address, retry_s=0.01).run, ears.heard)
                await anyio.to_thread.run_sync(functools.partial(service.until, held=True))
                service.emit("PrepareForSleep")
                assert (await ears.next())[0] is Notice.SUSPEND_SOON
        tasks.cancel_scope.cancel()
    ears.close()
    assert len(warnings) <= 1, warnings


@needs_bus
@pytest.mark.anyio
async def test_a_signal_that_somebody_else_sends_us_is_not_believed(bus: str) -> None:
    ears = Ears()
    with FakeLogind(bus) as service, open_dbus_connection(bus) as somebody:
        computer = _LogindComputer(bus, service)
        async with anyio.create_task_group() as tasks:
            await tasks.start(computer.notices(LONG_S).run, ears.heard)
            await computer.can_be_held()
            for number in range(10):  # one of these is our unique name
                somebody.send(signal("PrepareForShutdown", to=f":1.{number}"))
            somebody.send_and_get_reply(message_bus.GetId())  # the bus has passed on all that came before
            service.emit("PrepareForSleep")
            assert (await ears.next())[0] is Notice.SUSPEND_SOON
            tasks.cancel_scope.cancel()
    ears.close()


def test_this_computer_has_some_source() -> None:
    assert isinstance(system_power(pytest.fail), LogindPower)
