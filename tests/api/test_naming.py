"""How a machine gets its id when nobody insists."""

from __future__ import annotations

import pytest

from roosync_p2p.api.naming import propose_machine
from roosync_p2p.errors import UsageError


@pytest.mark.parametrize(
    ("option", "settings", "environ", "machine"),
    [
        ("One", "two", {"ROOSYNC_MACHINE_ID": "three"}, "one"),
        (None, "two", {"ROOSYNC_MACHINE_ID": "three"}, "two"),
        (None, None, {"ROOSYNC_MACHINE_ID": "Three"}, "three"),
        (None, None, {}, "my-pc-1"),
    ],
)
def test_the_machine_id_that_is_proposed(
    option: str | None, settings: str | None, environ: dict[str, str], machine: str
) -> None:
    assert propose_machine(option, settings, environ, "My PC.1.example".replace(".1.", "-1.")) == machine


def test_a_host_name_that_is_no_machine_id_is_not_bent_further() -> None:
    with pytest.raises(UsageError) as caught:
        propose_machine(None, None, {}, "PC")
    assert "--machine" in caught.value.remedy


@pytest.mark.parametrize(
    ("option", "code", "environ", "host", "machine"),
    [
        ("mine-1", "code-1", {"ROOSYNC_MACHINE_ID": "env-1"}, "host", "mine-1"),
        (None, "code-1", {"ROOSYNC_MACHINE_ID": "env-1"}, "host", "code-1"),
        (None, None, {"ROOSYNC_MACHINE_ID": "ENV-1"}, "host", "env-1"),
        (None, None, {}, "MYIA-PO-2023.local", "myia-po-2023"),
        (None, None, {}, "Jean's PC", "jean-s-pc"),
    ],
)
def test_the_machine_id_to_join_as(
    option: str | None, code: str | None, environ: dict[str, str], host: str, machine: str
) -> None:
    assert propose_machine(option, code, environ, host) == machine


@pytest.mark.parametrize("host", ["localhost", "pc", "日本"])
def test_a_host_name_that_cannot_be_an_id_asks_for_one(host: str) -> None:
    with pytest.raises(UsageError, match="needs an id"):
        propose_machine(None, None, {}, host)
