"""Which commands each system is given, and what is read from its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from roosync_p2p.adapters.service.definitions import Service
from roosync_p2p.adapters.service.managers import Launchd, Manager, Ran, Systemd, TaskScheduler, run_command
from roosync_p2p.errors import EnvironmentFault


class System:
    """Answers commands, and remembers them.

    Attributes:
        answers: by a word of the command.
    """

    def __init__(self, **answers: Ran) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []

    def run(self, command: Sequence[str]) -> Ran:
        self.asked.append(list(command))
        return next((answer for word, answer in self.answers.items() if word in command), Ran(0, ""))

    def verbs(self) -> list[str]:
        return [next(word for word in command[1:] if word != "--user") for command in self.asked]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    home = tmp_path / "roosync"
    home.mkdir()
    return Service(name="roosync", program=("/opt/python", "up"), home=home)


Make = Callable[[Service, Path, System], Manager]


def _systemd(service: Service, tmp_path: Path, system: System) -> Manager:
    return Systemd(service, {"HOME": str(tmp_path)}, system.run)


def _launchd(service: Service, tmp_path: Path, system: System) -> Manager:
    return Launchd(service, {"HOME": str(tmp_path)}, system.run, uid=501)


def _tasks(service: Service, tmp_path: Path, system: System) -> Manager:
    return TaskScheduler(service, {"USERNAME": "élan", "USERDOMAIN": "HOTE"}, system.run)


def test_where_each_definition_lies(service: Service, tmp_path: Path) -> None:
    assert _systemd(service, tmp_path, System()).file == tmp_path / ".config/systemd/user/roosync.service"
    assert Systemd(service, {"XDG_CONFIG_HOME": "/c"}, System().run).file == Path("/c/systemd/user/roosync.service")
    assert _launchd(service, tmp_path, System()).file == tmp_path / "Library/LaunchAgents/org.roosync.roosync.plist"
    assert _tasks(service, tmp_path, System()).file == tmp_path / "roosync/service.xml"


@pytest.mark.parametrize(
    ("make", "loaded", "started", "at_login"),
    [
        (_systemd, {}, ["daemon-reload", "enable", "restart"], ["daemon-reload", "enable"]),
        (_launchd, {"print": Ran(113, "Could not find service")}, ["print", "enable", "bootstrap"], ["print"]),
        (_tasks, {}, ["/Create", "/Run"], ["/Create"]),
    ],
)
def test_an_installation_starts_it_now_or_at_login(
    make: Make, loaded: dict[str, Ran], started: list[str], at_login: list[str], service: Service, tmp_path: Path
) -> None:
    for start, expected in ((True, started), (False, at_login)):
        system = System(**loaded)
        manager = make(service, tmp_path, system)
        manager.install(start=start)
        assert system.verbs() == expected
        assert manager.file.read_bytes() == manager.planned()[0]
        assert manager.state().current


@pytest.mark.parametrize(
    ("make", "refusing"),
    [(_systemd, "daemon-reload"), (_launchd, "bootstrap")],
)
def test_what_the_system_refuses_leaves_nothing_behind(
    make: Make, refusing: str, service: Service, tmp_path: Path
) -> None:
    system = System(**{"print": Ran(113, ""), refusing: Ran(1, "Failed to connect to bus")})
    manager = make(service, tmp_path, system)
    with pytest.raises(EnvironmentFault, match="Failed to connect to bus") as caught:
        manager.install(start=True)
    assert caught.value.code == "service_refused"
    assert not manager.file.exists()


def test_a_unit_is_shown_by_its_properties(service: Service, tmp_path: Path) -> None:
    said = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=77\n"
    state = _systemd(service, tmp_path, System(show=Ran(0, said))).state()
    assert (state.installed, state.enabled, state.running, state.pid, state.current) == (True, True, True, 77, False)
    gone = "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nMainPID=0\n"
    state = _systemd(service, tmp_path, System(show=Ran(0, gone))).state()
    assert (state.installed, state.enabled, state.running, state.pid) == (False, False, False, None)


def test_an_agent_is_shown_by_what_launchctl_prints(service: Service, tmp_path: Path) -> None:
    lines = (
        "gui/501/org.roosync.roosync = {",
        "active count = 1",
        "state = running",
        "pid = 4711",
        "sub = {",
        "pid = 1",
    )
    printed = "\n\t".join(lines)
    manager = _launchd(service, tmp_path, System(print=Ran(0, printed)))
    manager.file.parent.mkdir(parents=True)
    manager.file.write_bytes(manager.planned()[0])
    state = manager.state()
    assert (state.installed, state.running, state.pid, state.current) == (True, True, 4711, True)


def test_a_task_is_known_by_the_exit_code_alone(service: Service, tmp_path: Path) -> None:
    assert _tasks(service, tmp_path, System()).state().installed
    absent = _tasks(service, tmp_path, System(**{"/Query": Ran(1, "FEHLER: Das System kann die Datei nicht finden.")}))
    state = absent.state()
    assert (state.installed, state.running, state.pid) == (False, None, None)


@pytest.mark.parametrize(
    ("make", "there", "verbs"),
    [
        (_systemd, {}, ["disable", "daemon-reload"]),
        (_launchd, {"print": Ran(113, "")}, ["print"]),
        (_tasks, {}, ["/Query", "/End", "/Delete"]),
    ],
)
def test_a_service_is_removed_once(
    make: Make, there: dict[str, Ran], verbs: list[str], service: Service, tmp_path: Path
) -> None:
    system = System(**there)
    manager = make(service, tmp_path, system)
    manager.install(start=False)
    system.asked.clear()
    assert manager.remove()
    assert system.verbs() == verbs
    assert not manager.file.exists()
    system.answers["/Query"] = Ran(1, "")
    assert not manager.remove()


def test_a_loaded_agent_is_unloaded_and_waited_for(service: Service, tmp_path: Path) -> None:
    class Unloading(System):
        def run(self, command: Sequence[str]) -> Ran:
            super().run(command)
            return Ran(113 if "bootout" in self.verbs() and command[1] == "print" else 0, "")

    system = Unloading()
    _launchd(service, tmp_path, system).install(start=True)
    assert system.verbs() == ["print", "bootout", "print", "enable", "bootstrap"]


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        run_command(["no-such-program-of-a-system"])
    assert caught.value.code == "no_service_manager"
