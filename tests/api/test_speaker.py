"""Who a program speaks for when it claims something."""

from __future__ import annotations

import os

import pytest

from roosync_p2p.api.speaker import caller_of_command, first_foreign, this_program

SHELL, LAUNCHER, REDIRECTOR, OURS = 10, 20, 30, 40
WINDOWS = {
    SHELL: (1, "pwsh.exe"),
    LAUNCHER: (SHELL, "roosync.exe"),
    REDIRECTOR: (LAUNCHER, "python.exe"),
    OURS: (REDIRECTOR, "python3.11.exe"),
}


def test_a_secret_speaks_for_its_session() -> None:
    environ = {"ROOSYNC_SESSION": "rs-secret", "USER": "jean"}
    assert this_program(environ) == caller_of_command(environ) == {"secret": "rs-secret"}


def test_without_a_secret_a_program_speaks_for_itself_and_a_command_for_its_caller() -> None:
    assert this_program({"USER": "jean"}) == {"user": "jean", "process": os.getpid()}
    caller = caller_of_command({"LOGNAME": "jean"})
    assert caller["user"] == "jean"
    assert caller["process"] not in (0, os.getpid())


def test_a_user_without_a_name_is_a_user() -> None:
    assert this_program({"ROOSYNC_SESSION": ""})["user"] == "user"
    assert len(str(this_program({"USER": "j" * 200})["user"])) == 64


def test_launchers_between_the_shell_and_the_command_are_passed_over() -> None:
    assert first_foreign(WINDOWS, OURS) == SHELL


@pytest.mark.parametrize(
    ("processes", "parent"),
    [
        ({}, 0),
        ({OURS: (99, "python.exe")}, 99),
        ({OURS: (REDIRECTOR, "python.exe"), REDIRECTOR: (OURS, "python.exe")}, OURS),
    ],
    ids=["nothing known", "parent gone", "numbers used again"],
)
def test_a_table_with_holes_ends_the_search(processes: dict[int, tuple[int, str]], parent: int) -> None:
    assert first_foreign(processes, OURS) == parent
