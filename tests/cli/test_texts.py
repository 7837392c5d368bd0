"""Texts in two languages, tables, and what people see."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.cli.mailbox import render_thread
from roosync_p2p.cli.messages import fence, render_message
from roosync_p2p.cli.status import folder_line, render_status
from roosync_p2p.cli.tables import plain_table
from roosync_p2p.cli.texts import CATALOGUE, Texts, load_texts

MESSAGE: dict[str, Any] = {
    "id": "msg-20260115T091530-a1b2c3",
    "from": "myia-po-2023",
    "to": ["all"],
    "subject": "s",
    "time": "2026-01-15T09:15:30.000Z",
    "thread_id": "t",
    "verified": True,
    "signer": "myia-po-2023",
    "body": "b",
    "states": {},
}


def places(text: str) -> set[str | None]:
    """The names of the places to fill in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    english, french = CATALOGUE["en"], CATALOGUE["fr"]
    assert list(english) == list(french)
    assert {key: places(text) for key, text in english.items()} == {key: places(text) for key, text in french.items()}


def test_settings_that_do_not_parse_do_not_silence_other_commands(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[")
    assert load_texts(tmp_path).get("stopped") == "stopped"
    (tmp_path / "settings.toml").write_text('[ui]\nlanguage = "fr"')
    assert load_texts(tmp_path).get("stopped") == "arrêté"


def test_a_state_of_a_newer_node_is_shown_as_it_is() -> None:
    assert Texts("fr").word("machine", "hibernating") == "hibernating"


@pytest.mark.parametrize(("verified", "signer"), [(False, "myia-po-2023"), (False, None), (True, None)])
def test_a_message_that_nobody_vouches_for_says_so(verified: bool, signer: str | None) -> None:
    shown = render_message({**MESSAGE, "verified": verified, "signer": signer}, Texts("en"))
    assert "NOT VERIFIED" in shown
    assert "signed by" not in shown


def test_a_body_that_is_gone_is_said_to_be_gone() -> None:
    assert "no longer kept" in render_message({**MESSAGE, "body": None}, Texts("en"))


@pytest.mark.parametrize("body", ["", "x", "x\n", "```", "a ````` b", "`"])
def test_nothing_in_a_body_can_close_its_fence(body: str) -> None:
    lines = fence(body).split("\n")
    assert lines[0] == lines[-1]
    assert lines[0] not in body


@pytest.mark.parametrize(("language", "shown"), [("en", "to do: no backup"), ("fr", "à faire : cet émetteur n'a pas")])
def test_reminders_stand_at_the_end_in_the_readers_language_and_the_first_line_does_not_count_them(
    language: str, shown: str
) -> None:
    document = {"machine": "a-1", "state": "synced", "summary": {"machines": 1, "online": 1}, "machines": []}
    codes = ("no_backup", "single_issuer", "of a later version")
    reminders = [{"code": code, "message": f"{code}, in English", "remedy": "do"} for code in codes]
    top, *below = render_status({**document, "reminders": reminders}, Texts(language)).split("\n")
    assert top == render_status(document, Texts(language)).split("\n")[0]
    assert any(line.startswith(shown) for line in below)
    assert sum("in English" in line for line in below) == 1, "what this version does not know is shown as it came"
    assert sum("roosync-admin" in line for line in below) == 2


def test_status_shows_evidence_and_warnings_without_steering_the_terminal() -> None:
    shown = render_status(
        {
            "machine": "myia-ai-01",
            "state": "alone",
            "last_sync": None,
            "summary": {"machines": 2, "online": 1},
            "warnings": [{"code": "x", "message": "bad\x1b[2J", "remedy": "fix"}],
            "machines": [
                {"machine": "a-1", "state": "online", "self": True, "evidence": {"path": "none"}},
                {"machine": "b-1", "state": "online", "evidence": {"path": "relayed", "via": "c-1", "age_s": 12.3}},
                {"machine": "c-1", "state": "unknown", "evidence": {"path": "none", "age_s": None}},
            ],
        },
        Texts("en"),
    )
    assert shown.startswith("myia-ai-01: alone · 1 of 2 machines online · nothing new since its start · warnings: 1")
    assert "relayed by c-1, 12 s" in shown
    assert "\x1b" not in shown
    assert "remedy: fix" in shown


def test_columns_align_with_wide_and_combining_characters() -> None:
    lines = plain_table(["a", "b"], [["日本", "x"], ["e\u0301te", "y"], ["abcd", "z"]]).split("\n")
    assert lines == ["a     b", "日本  x", "e\u0301te   y", "abcd  z"]


def test_the_shared_folder_is_shown_with_its_state_in_words_and_how_late_it_is() -> None:
    folder = {"path": "G:/Mon Drive", "state": "not_shared", "lag_s": 12.4}
    assert folder_line(folder, Texts("en")) == "shared folder: not the one the others use, G:/Mon Drive · 12 s late"
    unknown = {"path": "/mnt", "state": "hibernating", "lag_s": None}
    assert folder_line(unknown, Texts("fr")) == "dossier partagé : hibernating, /mnt"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["warning: web1 lives and its disk does not write", "remedy: on that machine: make room"]),
        (
            "fr",
            ["avertissement : web1 vit et son disque n'écrit plus", "remède : sur cette machine : faire de la place"],
        ),
    ],
)
def test_a_machine_that_stands_still_is_named_with_what_helps_once_and_in_the_readers_language(
    language: str, said: list[str]
) -> None:
    evidence = {"path": "direct", "via": None, "age_s": 0.2}
    row = {"machine": "web1", "state": "suspect", "evidence": evidence, "reason": "disk_stalled"}
    told = {
        "code": "machine_stalled",
        "message": "web1: suspect, direct, 0.2 s, its disk does not write",
        "remedy": "look",
    }
    document = {"machine": "po-2023", "state": "synced", "summary": {}, "machines": [row], "warnings": [told]}
    shown = render_status(document, Texts(language))
    assert all(shown.count(words) == 1 for words in said)
    assert "do as you like" not in shown


@pytest.mark.parametrize(
    ("language", "count", "wanted"),
    [
        ("en", 0, "0 messages by"),
        ("en", 1, "1 message by"),
        ("en", 2, "2 messages by"),
        ("fr", 0, "0 message de"),
        ("fr", 1, "1 message de"),
        ("fr", 2, "2 messages de"),
    ],
)
def test_a_thread_counts_in_singular_and_plural(language: str, count: int, wanted: str) -> None:
    found = {
        "thread_id": "t",
        "count": count,
        "participants": ["alpha"],
        "last_activity": MESSAGE["time"],
        "unread": 0,
        "messages": [],
        "commits": [],
    }
    assert wanted in render_thread(found, Texts(language))
