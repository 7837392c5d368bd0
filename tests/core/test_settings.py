"""The settings: table, bounds, and errors that name the key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.core.settings import describe, flatten, parse_host_port, parse_settings, parse_toml
from roosync_p2p.errors import InputFault


def refused(table: dict[str, Any]) -> InputFault:
    with pytest.raises(InputFault) as caught:
        parse_settings(table)
    assert caught.value.code == "bad_setting"
    return caught.value


def test_an_empty_file_gives_the_documented_defaults() -> None:
    settings = parse_settings({})
    assert settings.node.machine is None
    assert settings.node.listen == "0.0.0.0:47600"
    assert settings.discovery.mdns
    assert settings.discovery.peers == ()
    assert (settings.liveness.interval_s, settings.liveness.suspect_s, settings.liveness.offline_s) == (1, 3, 4.8)
    assert settings.ui.language == "en"


def test_every_described_key_has_a_meaning_and_an_effective_value() -> None:
    keys = describe()
    assert [row.key for row in keys] == list(flatten(parse_settings({})))
    assert all(row.type and row.description for row in keys)
    assert all(row.unit == "seconds" for row in keys if row.key.endswith("_s"))


def test_a_whole_file_is_parsed_to_canonical_values() -> None:
    settings = parse_toml(
        b"""
        [node]
        machine = "MYIA-po-2023"
        listen = "[::]:47601"
        log_level = "debug"
        [discovery]
        mdns = false
        interfaces = ["eth0"]
        peers = ["wss://203.0.113.7:47600", "host.example:1"]
        [liveness]
        profile = "analysis"
        [ui]
        language = "fr"
        """
    )
    assert settings.node.machine == "myia-po-2023"
    assert settings.node.listen == "[::]:47601"
    assert settings.discovery.peers == ("203.0.113.7:47600", "host.example:1")
    assert (settings.liveness.interval_s, settings.liveness.offline_s) == (30, 120)
    assert settings.ui.language == "fr"


def test_an_unknown_key_names_itself_and_the_closest_known_one() -> None:
    error = refused({"node": {"lissen": "0.0.0.0:1"}})
    assert "node.lissen" in error.message
    assert error.details["closest"] == "node.listen"


def test_an_unknown_section_names_itself_and_the_closest_known_one() -> None:
    error = refused({"discovry": {"mdns": True}})
    assert "[discovry]" in error.message
    assert error.details["closest"] == "discovery"


@pytest.mark.parametrize("section", ["roadmap", "bridge", "actions"])
def test_a_section_of_which_nothing_exists_here_is_unknown(section: str) -> None:
    assert refused({section: {}}).details["key"] == section


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("node", "machine", "x"),
        ("node", "machine", "localhost"),
        ("node", "machine", 3),
        ("node", "listen", "47600"),
        ("node", "listen", "0.0.0.0:70000"),
        ("node", "listen", "0.0.0.0:-1"),
        ("node", "listen", ":1"),
        ("node", "log_level", "loud"),
        ("discovery", "mdns", 1),
        ("discovery", "mdns", "yes"),
        ("discovery", "interfaces", "eth0"),
        ("discovery", "interfaces", [1]),
        ("discovery", "peers", ["nowhere"]),
        ("discovery", "peers", ["a:1"] * (limits.SETTING_LIST_MAX + 1)),
        ("liveness", "profile", "wan"),
        ("liveness", "interval_s", 0),
        ("liveness", "interval_s", True),
        ("liveness", "interval_s", float("nan")),
        ("liveness", "offline_s", 10**9),
        ("ui", "language", "de"),
    ],
)
def test_a_value_out_of_its_bounds_names_the_key_and_what_is_allowed(section: str, name: str, value: object) -> None:
    error = refused({section: {name: value}})
    assert f"{section}.{name}" in error.message
    assert error.details["key"] == f"{section}.{name}"
    assert error.details["allowed"]


def test_a_value_where_a_section_belongs_is_refused() -> None:
    assert refused({"node": 3}).details["key"] == "node"


def test_own_numbers_beside_a_profile_contradict_each_other() -> None:
    assert "not both" in refused({"liveness": {"profile": "lan", "suspect_s": 4}}).message


def test_numbers_left_out_follow_in_proportion() -> None:
    liveness = parse_settings({"liveness": {"interval_s": 2}}).liveness
    assert (liveness.profile, liveness.interval_s, liveness.suspect_s, liveness.offline_s) == ("custom", 2, 6, 10)


@pytest.mark.parametrize(
    "numbers",
    [{"interval_s": 5, "suspect_s": 6}, {"suspect_s": 10, "offline_s": 10}, {"suspect_s": 60, "offline_s": 5}],
)
def test_numbers_out_of_order_are_refused(numbers: dict[str, float]) -> None:
    assert "liveness.suspect_s" in refused({"liveness": numbers}).message


@pytest.mark.parametrize("data", [b"[node", b"\xff\xff\xff", b"a = 1\na = 2", b"#" * (limits.SETTINGS_BYTES_MAX + 1)])
def test_what_is_no_settings_file_is_refused_as_a_bad_setting(data: bytes) -> None:
    with pytest.raises(InputFault, match=r"settings\.toml") as caught:
        parse_toml(data)
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_saved_by_windows_editors_is_read(encoding: str) -> None:
    assert parse_toml('[ui]\nlanguage = "fr"\n'.encode(encoding)).ui.language == "fr"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("a:1", ("a", 1)), ("[::1]:2", ("::1", 2)), ("wss://h.example:47600/", ("h.example", 47600))],
)
def test_host_and_port_are_taken_apart(text: str, parsed: tuple[str, int]) -> None:
    assert parse_host_port(text) == parsed


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def fault_of(table: dict[str, Any]) -> InputFault | None:
    """The error that parsing raises, if it does."""
    try:
        parse_settings(table)
    except InputFault as error:
        return error
    return None


@given(st.dictionaries(st.sampled_from(["node", "discovery", "liveness", "ui", "x"]), VALUES, max_size=3))
def test_anything_is_accepted_or_refused_as_a_bad_setting(table: dict[str, object]) -> None:
    error = fault_of(table)
    assert error is None or error.code == "bad_setting"


@given(st.sampled_from(describe()), VALUES)
def test_any_value_of_any_key_is_accepted_or_refused_by_name(row: Any, value: object) -> None:
    section, _, name = row.key.partition(".")
    error = fault_of({section: {name: value}})
    assert error is None or error.details["key"] in (row.key, "liveness.suspect_s")
