"""``[wake.<name>]``: one way each, filters that mean something, and nothing that leaves this computer."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.core.settings import parse_settings, parse_toml
from roosync_p2p.core.wake_settings import Webhook, describe_wakes, flatten_wakes, parse_wakes
from roosync_p2p.errors import InputFault


def _refused(**content: Any) -> InputFault:
    with pytest.raises(InputFault) as caught:
        parse_wakes({"a": content})
    assert caught.value.code == "bad_setting"
    return caught.value


def test_a_whole_section_is_parsed() -> None:
    settings = parse_toml(
        b"""
        [wake.claude]
        run = ["claude", "-p", "Read your messages"]
        directory = "~/dev/roosync"
        workspaces = ["roosync", ""]
        types = ["task"]
        priorities = ["high", "URGENT"]
        senders = ["MYIA-ai-01"]
        gather_s = 5
        lease_s = 900
        every_s = 0
        [wake.bell]
        notify = true
        """
    )
    bell, claude = settings.wakes
    assert (bell.name, bell.notify, bell.gather_s, bell.lease_s) == (
        "bell",
        True,
        limits.WAKE_GATHER_S,
        limits.WAKE_LEASE_S,
    )
    assert claude.run == ("claude", "-p", "Read your messages")
    assert (claude.workspaces, claude.priorities, claude.senders) == (
        ("roosync", ""),
        ("HIGH", "URGENT"),
        ("myia-ai-01",),
    )
    assert (claude.gather_s, claude.lease_s, claude.every_s) == (5.0, 900.0, 0.0)


def test_every_key_is_described_and_shown() -> None:
    keys = [row[0].removeprefix("wake.<name>.") for row in describe_wakes()]
    shown = flatten_wakes(parse_wakes({"a": {"webhook": "http://localhost:81/x"}}))
    assert [key.removeprefix("wake.a.") for key in shown] == keys
    assert shown["wake.a.webhook"] == "http://127.0.0.1:81/x"
    assert all(unit == "seconds" for key, _, _, unit, _ in describe_wakes() if key.endswith("_s"))


def test_without_a_section_nobody_is_woken() -> None:
    assert parse_settings({}).wakes == ()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8123/hook?a=1", Webhook("127.0.0.1", 8123, "/hook?a=1")),
        ("http://localhost:80", Webhook("127.0.0.1", 80, "/")),
        ("http://[::1]:8123/", Webhook("::1", 8123, "/")),
        ("http://127.8.9.1:1/", Webhook("127.8.9.1", 1, "/")),
    ],
)
def test_a_webhook_is_an_address_of_this_computer(url: str, place: Webhook) -> None:
    (wake,) = parse_wakes({"a": {"webhook": url}})
    assert wake.webhook == place


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org:80/",
        "http://192.168.1.4:80/",
        "http://0.0.0.0:80/",
        "http://localhost.example.org:80/",
        "http://127.0.0.1.example.org:80/",
        "http://127.0.0.1@example.org:80/",
        "http://user@127.0.0.1:80/",
        "http://2130706433:80/",
        "http://[::ffff:8.8.8.8]:80/",
        "https://127.0.0.1:80/",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:80/a b",
        "http://127.0.0.1:80/a\r\nhost: x",
        "",
    ],
)
def test_a_webhook_anywhere_else_is_refused(url: str) -> None:
    assert _refused(webhook=url).details["key"] in ("wake.a.webhook", "wake.a")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({}, "wake.a"),
        ({"notify": False}, "wake.a"),
        ({"notify": True, "signal_file": "x"}, "wake.a"),
        ({"notify": True, "directory": "x"}, "wake.a.directory"),
        ({"run": "claude -p"}, "wake.a.run"),
        ({"run": ["a\0b"]}, "wake.a.run"),
        ({"run": ["a"] * 65}, "wake.a.run"),
        ({"notify": True, "priorities": ["SOON"]}, "wake.a.priorities"),
        ({"notify": True, "types": ["a b"]}, "wake.a.types"),
        ({"notify": True, "senders": ["con"]}, "wake.a.senders"),
        ({"notify": True, "workspaces": ["a\nb"]}, "wake.a.workspaces"),
        ({"notify": True, "lease_s": 0}, "wake.a.lease_s"),
        ({"notify": True, "gather_s": True}, "wake.a.gather_s"),
        ({"notify": True, "every_s": float("nan")}, "wake.a.every_s"),
        ({"notify": "yes"}, "wake.a.notify"),
    ],
)
def test_what_says_nothing_sensible_is_an_error_that_names_the_key(content: dict[str, Any], key: str) -> None:
    assert _refused(**content).details["key"] == key


def test_an_unknown_key_names_itself_and_the_closest_known_one() -> None:
    error = _refused(notify=True, leese_s=1)
    assert "wake.a.leese_s" in error.message
    assert error.details["closest"] == "lease_s"


_MANY: dict[str, Any] = {f"n{number}": {"notify": True} for number in range(limits.WAKE_ADAPTERS_MAX + 1)}


@pytest.mark.parametrize("table", [1, {"a": 1}, {"A b": {"notify": True}}, _MANY])
def test_what_is_no_list_of_sections_is_refused(table: object) -> None:
    with pytest.raises(InputFault) as caught:
        parse_wakes(table)
    assert caught.value.code == "bad_setting"
