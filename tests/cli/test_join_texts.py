"""What ``roosync join`` says of inbound connections, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.cli.join import inbound_lines
from roosync_p2p.cli.texts import CATALOGUE, Texts

_RULE = "sudo ufw allow 47600/tcp comment roosync"


def _lines(language: str = "en", platform: str = "linux", **inbound: object) -> list[str]:
    known: dict[str, Any] = {
        "checked": True,
        "reachable": False,
        "outcome": "unanswered",
        "firewall_rule": None,
        "port": 47_600,
        "seen_as": "192.0.2.7",
        "message": "",
    }
    return list(inbound_lines({"issuer": "myia-ai-01", "inbound": known | inbound}, Texts(language), platform))


def test_a_machine_that_was_reached_is_said_to_be_reachable_and_by_whom() -> None:
    assert _lines(outcome="connected", reachable=True) == [
        "inbound connections to port 47600 work: myia-ai-01 connected"
    ]


def test_a_machine_that_was_not_reached_hears_that_it_works_all_the_same_and_what_to_run() -> None:
    blocked, remedy = _lines(firewall_rule=_RULE)
    assert blocked == (
        "other machines cannot connect to this one: myia-ai-01 tried port 47600, without an answer; "
        "it works all the same, because it dials out"
    )
    assert remedy == f"to allow it, run: {_RULE}"


def test_on_windows_the_rule_takes_an_administrator() -> None:
    assert _lines(platform="win32", firewall_rule="New-NetFirewallRule")[1] == (
        "to allow it, run in a PowerShell opened as administrator: New-NetFirewallRule"
    )


def test_without_a_rule_the_address_that_was_seen_is_named() -> None:
    assert "myia-ai-01 sees it as 203.0.113.9" in _lines(seen_as="203.0.113.9")[1]


def test_what_was_not_checked_is_not_claimed() -> None:
    (older,) = _lines(checked=False, reachable=None, seen_as=None, outcome="not_offered")
    assert older.endswith("was not checked: the issuer does not do that; it may be an older version")
    taken = "port 47600 is taken by python3 (pid 7); this node does not listen"
    (line,) = _lines(checked=False, reachable=None, seen_as=None, outcome="port_taken", message=taken)
    assert line.endswith(f"was not checked: {taken}")


@pytest.mark.parametrize("language", list(CATALOGUE))
@pytest.mark.parametrize("outcome", ["refused", "silent", "unanswered", "rejected", "throttled"])
def test_every_outcome_has_words_also_one_of_a_newer_issuer(language: str, outcome: str) -> None:
    first = _lines(language, outcome=outcome, firewall_rule=_RULE)[0]
    assert CATALOGUE[language].get(f"dial.{outcome}", "throttled") in first


def test_french_readers_read_it_in_french() -> None:
    first, second = _lines("fr", firewall_rule=_RULE)
    assert first.startswith("les autres machines ne peuvent pas se connecter à celle-ci")
    assert second == f"pour l'autoriser, exécutez : {_RULE}"
