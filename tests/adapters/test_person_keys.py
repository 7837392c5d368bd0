"""Persons' keys on disk: always encrypted, in their place only once they count."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from roosync_p2p.adapters.person_keys import (
    load_person_key,
    new_person_key,
    parse_person,
    person_key_path,
    require_person_key,
)
from roosync_p2p.errors import EnvironmentFault, InputFault, UsageError


def test_a_key_is_the_persons_once_it_is_installed(tmp_path: Path) -> None:
    made = new_person_key(tmp_path, "jean", b"words")
    with pytest.raises(InputFault) as absent:
        require_person_key(tmp_path, "jean")
    assert absent.value.code == "no_person_key"
    assert str(person_key_path(tmp_path, "jean")) in absent.value.remedy
    made.install()
    assert load_person_key(tmp_path, "jean", b"words").public == made.key.public
    assert b"ENCRYPTED" in made.path.read_bytes()
    if os.name != "nt":
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_another_key_takes_the_place_of_the_old_one_or_leaves_it(tmp_path: Path) -> None:
    first = new_person_key(tmp_path, "jean", b"words")
    first.install()
    dropped = new_person_key(tmp_path, "jean", b"other words")
    dropped.discard()
    assert load_person_key(tmp_path, "jean", b"words").public == first.key.public
    second = new_person_key(tmp_path, "jean", b"other words")
    second.install()
    assert load_person_key(tmp_path, "jean", b"other words").public == second.key.public
    assert list(first.path.parent.iterdir()) == [first.path]


@pytest.mark.parametrize("words", [b"", b"wrong"])
def test_the_passphrase_opens_it_and_nothing_else_does(tmp_path: Path, words: bytes) -> None:
    new_person_key(tmp_path, "jean", b"words").install()
    with pytest.raises(InputFault) as refused:
        load_person_key(tmp_path, "jean", words)
    assert refused.value.code in ("wrong_passphrase", "passphrase_needed")


@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    made = new_person_key(tmp_path, "jean", b"words")
    made.install()
    made.path.chmod(0o644)
    with pytest.raises(EnvironmentFault) as open_to_all:
        load_person_key(tmp_path, "jean", b"words")
    assert open_to_all.value.code == "permissions_too_open"


@pytest.mark.parametrize(("said", "name"), [("Jean", "jean"), (" j.s_b-2 ", "j.s_b-2"), ("ab", "ab")])
def test_a_name_is_read_in_small_letters(said: str, name: str) -> None:
    assert parse_person(said) == name


@pytest.mark.parametrize("said", ["", "j", "../jean", "jean/x", ".jean", "é", "con", "nul.x", "j" * 51])
def test_what_could_be_a_path_or_a_device_is_no_name(said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_person(said)
    assert refused.value.code == "bad_person"
