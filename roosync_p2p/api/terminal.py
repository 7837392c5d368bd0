"""What every command-line tool of this package shares: streams, JSON, errors, exit codes, the common options.

Here, below the tools, because `roosync` and `roosync-admin` do not know each other. Rules: one JSON document on
standard output with ``--json`` and nothing else there; UTF-8, replaced where a console cannot show it; what peers
wrote is neutralised before it reaches a terminal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TextIO, TypeVar

import click

from roosync_p2p.api.home import default_home
from roosync_p2p.api.silence import SILENT, Silent, silence_text
from roosync_p2p.core.text import decode_text
from roosync_p2p.errors import (
    EnvironmentFault,
    InputFault,
    NotRunningError,
    RoosyncError,
    SignatureFault,
    UndecidedError,
    UntrustedError,
    UsageError,
)

__all__ = [
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_NOT_IN_TIME",
    "EXIT_NOT_RUNNING",
    "EXIT_OK",
    "EXIT_USAGE",
    "EXIT_VERIFICATION",
    "FiniteRange",
    "Invocation",
    "common_options",
    "exit_code",
    "print_error",
    "read_text_argument",
    "run_tool",
    "safe_block",
    "safe_line",
    "tell_at_terminal",
]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_NOT_IN_TIME = 4
EXIT_VERIFICATION = 5
EXIT_INTERRUPTED = 130

# What click raises for a group without a command, from 8.2 on; before, it shows the help itself.
_HELP_INSTEAD: tuple[type[click.UsageError], ...] = tuple(
    filter(None, (getattr(click.exceptions, "NoArgsIsHelpError", None),))
)

_NOT_IN_TIME = frozenset({"not_in_time", "no_quorum", "timeout"})

# C0 but tab and line feed, DEL, C1 (one byte CSI among them), and the characters that reorder or hide text
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

P = ParamSpec("P")
T = TypeVar("T")


# --- one invocation ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What the common options of one command say."""

    home: Path
    as_json: bool

    def print_json(self, document: object) -> None:
        """The one document of a command with ``--json``; characters that steer a terminal are escaped."""
        _write(sys.stdout, _json_text(document, indent=2) + "\n")

    def print_json_line(self, document: object) -> None:
        """One of several documents, on a line of its own, for commands that go on."""
        _write(sys.stdout, _json_text(document, indent=None) + "\n")

    def print(self, text: str = "") -> None:
        """A line, or several, for a person."""
        _write(sys.stdout, text + "\n")

    def progress(self, text: str) -> None:
        """What happens meanwhile, on standard error; nothing with ``--json``."""
        if not self.as_json:
            _write(sys.stderr, safe_block(text) + "\n")


class FiniteRange(click.FloatRange):
    """A number between bounds; click lets "nan" through any of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuses what is no number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class _Directory(click.Path):
    """A path that is not empty: a script's unset variable would mean the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuses what names nothing."""
        if isinstance(value, str) and not value.strip():
            self.fail("it names no directory", param, ctx)
        return super().convert(value, param, ctx)


def common_options(command: Callable[Concatenate[Invocation, P], T]) -> Callable[P, T]:
    """Adds ``--home`` and ``--json`` to a command and gives it the :class:`Invocation` as first argument.

    Both are also accepted before the command when the group has them (:func:`common_options` on the group).
    """

    @click.option(
        "--home", type=_Directory(path_type=Path), metavar="DIR", help="The node's home. [default: ROOSYNC_HOME]"
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.pass_context
    @functools.wraps(command)
    def wrapped(context: click.Context, /, *args: Any, **kwargs: Any) -> T:
        home, as_json = kwargs.pop("home"), kwargs.pop("as_json")
        outer = context.find_object(Invocation)
        if home is None:
            home = outer.home if outer is not None else default_home(os.environ)
        invocation = Invocation(home=home.absolute(), as_json=as_json or (outer is not None and outer.as_json))
        context.obj = invocation
        SILENT.set(tell_at_terminal(invocation.home, as_json=invocation.as_json))
        return command(invocation, *args, **kwargs)

    return wrapped


def run_tool(group: click.Command, args: Sequence[str] | None = None) -> int:
    """Runs a command line and returns the exit code; errors are printed as the options ask."""
    arguments = list(sys.argv[1:] if args is None else args)
    as_json = "--json" in arguments
    _prepare_streams()
    try:
        result = group.main(arguments, prog_name=_program_name(), standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.UsageError as error:
        if isinstance(error, _HELP_INSTEAD) and not as_json:
            _write(sys.stderr, error.format_message() + "\n")
        else:
            print_error(_usage_fault(error), as_json=as_json)
        return EXIT_USAGE
    except click.ClickException as error:
        print_error(InputFault(error.format_message()), as_json=as_json)
        return EXIT_FAILED
    except RoosyncError as error:
        print_error(error, as_json=as_json)
        return exit_code(error)
    except OSError as error:  # such as a help text on a full disk; nobody nearer to it knew what it means
        _silence(sys.stdout)
        print_error(EnvironmentFault(f"the system refused: {error}", code="system_refused"), as_json=as_json)
        return EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else EXIT_OK


def tell_at_terminal(home: Path, *, as_json: bool) -> Silent | None:
    """What to call when the node of ``home`` is silent: a line on standard error, if that is a terminal."""
    if as_json or sys.stderr is None or not sys.stderr.isatty():
        return None
    return lambda left_s: _write(sys.stderr, silence_text(home, left_s) + "\n")


# --- errors ------------------------------------------------------------------------------------------------------


def exit_code(error: RoosyncError) -> int:
    """The exit code that scripts rely on (docs/protocol/api.md §7)."""
    if isinstance(error, UsageError):
        return EXIT_USAGE
    if isinstance(error, NotRunningError):
        return EXIT_NOT_RUNNING
    if isinstance(error, SignatureFault | UntrustedError):
        return EXIT_VERIFICATION
    if isinstance(error, UndecidedError) or error.code in _NOT_IN_TIME:
        return EXIT_NOT_IN_TIME
    return EXIT_FAILED


def print_error(error: RoosyncError, *, as_json: bool) -> None:
    """One object, or a message and a line with the remedy, on standard error."""
    if as_json:
        text = json.dumps({"error": error.diagnostics()}, default=str)
    else:
        text = f"error: {safe_block(error.message)}"
        if error.remedy:
            text += f"\n  remedy: {safe_block(error.remedy)}"
    _write(sys.stderr, text + "\n")


def _usage_fault(error: click.UsageError) -> UsageError:
    return UsageError(error.format_message(), remedy=f"see `{_path(error)} --help`")


def _path(error: click.UsageError) -> str:
    return error.ctx.command_path if error.ctx is not None else _program_name()


def _unwritten(error: OSError) -> EnvironmentFault:
    """The result of a command that was done does not reach whoever asked for it."""
    return EnvironmentFault(
        f"the output could not be written: {error.strerror or error}; what the command did is done",
        code="output_lost",
        remedy="look at where the output goes: a full disk?",
    )


# --- text --------------------------------------------------------------------------------------------------------


def safe_line(text: str) -> str:
    """Text from elsewhere for one line of a terminal: nothing in it steers the terminal or ends the line."""
    return _neutral(text.replace("\r\n", "\n")).replace("\n", "\\n").replace("\t", " ")


def safe_block(text: str) -> str:
    """Text from elsewhere for a terminal, with its lines and tabs."""
    return _neutral(text.replace("\r\n", "\n"))


def read_text_argument(value: str, *, what: str) -> str:
    """The argument, or standard input for ``-``, in UTF-8 or UTF-16.

    Raises:
        UsageError: standard input is no text.
    """
    if value != "-":
        return value
    data = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    return decode_text(data, what=what).replace("\r\n", "\n")


def _json_text(document: object, *, indent: int | None) -> str:
    """JSON in which whatever steers a terminal is escaped; such characters stand only inside its strings."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _neutral(text: str) -> str:
    """Control characters as they are written in code, visibly."""
    return _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


def _prepare_streams() -> None:
    """UTF-8 into pipes and files; a console keeps its encoding, and what it cannot show is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="replace")


def _write(stream: TextIO | None, text: str) -> None:
    """Writes now; a reader that has had enough (``| head``) ends the command as done. None is a closed stream."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError as error:
        _silence(stream)
        raise click.exceptions.Exit(EXIT_OK) from error
    except OSError as error:
        _silence(stream)
        raise _unwritten(error) from error


def _silence(stream: TextIO | None) -> None:
    """What is left in its buffer goes nowhere: Python would complain when it flushes at exit."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _program_name() -> str:
    return Path(sys.argv[0]).stem or "roosync"
