"""The newest lines of a log in several files, and those that come."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from pathlib import Path

from roosync_p2p.api.start_log import last_failed_start, record_failed_start, started
from roosync_p2p.cli.log_lines import follow_log, last_lines, shown_line
from roosync_p2p.errors import InputFault


def test_the_newest_lines_are_found_across_files_oldest_first(tmp_path: Path) -> None:
    assert last_lines(tmp_path, 5) == []
    (tmp_path / "node.jsonl.2").write_text("one\ntwo\n")
    (tmp_path / "node.jsonl.1").write_text("three\n")
    (tmp_path / "node.jsonl").write_text("four\nfive")
    assert last_lines(tmp_path, 1) == ["five"]
    assert last_lines(tmp_path, 3) == ["three", "four", "five"]
    assert last_lines(tmp_path, 9) == ["one", "two", "three", "four", "five"]


def test_a_large_file_is_read_from_its_end(tmp_path: Path) -> None:
    lines = [f"{number} {'é' * 50}" for number in range(5_000)]
    (tmp_path / "node.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert last_lines(tmp_path, 1_500) == lines[-1_500:]


def test_a_line_is_shown_for_people_and_anything_else_as_it_is() -> None:
    said = {"time": "2026-01-15T09:15:30.000Z", "level": "info", "logger": "x", "message": "ready"}
    assert shown_line(json.dumps(said)) == "2026-01-15T09:15:30.000Z  info     ready"
    assert shown_line("{") == "{"
    assert shown_line("[1]") == "[1]"


def test_what_comes_is_followed_into_the_next_file(tmp_path: Path) -> None:
    file, seen = tmp_path / "node.jsonl", queue.Queue[str]()
    file.write_text("before\n")

    def stop(line: str) -> None:
        seen.put(line)
        if line == "end":
            raise EOFError

    def follow() -> None:
        try:
            follow_log(tmp_path, stop)
        except EOFError:
            seen.put("over")

    thread = threading.Thread(target=follow)
    thread.start()
    for number in itertools.count():  # it may not have begun yet: then it begins behind some of these
        with file.open("a") as stream:
            stream.write(f"{number}\n")
        try:
            first = seen.get(timeout=0.05)
            break
        except queue.Empty:
            assert number < 1_000
    assert first.isdigit()
    file.replace(tmp_path / "node.jsonl.1")
    file.write_text("end\n")
    while (line := seen.get(timeout=30)) != "over":
        assert line == "end" or line.isdigit()
    thread.join(30)


def test_why_a_start_failed_is_kept_until_one_succeeds(tmp_path: Path) -> None:
    assert last_failed_start(tmp_path) is None
    record_failed_start(tmp_path, InputFault("no port", code="port_taken", remedy="another"))
    assert last_failed_start(tmp_path) is None, "a home without logs is left alone"
    (tmp_path / "logs").mkdir()
    record_failed_start(tmp_path, InputFault("no port", code="port_taken", remedy="another"))
    said = last_failed_start(tmp_path)
    assert said is not None
    assert (said["code"], said["message"], said["remedy"]) == ("port_taken", "no port", "another")
    assert said["time"].endswith("Z")
    started(tmp_path)
    assert last_failed_start(tmp_path) is None
    (tmp_path / "logs" / "start.log").write_text("rubbish")
    assert last_failed_start(tmp_path) is None
