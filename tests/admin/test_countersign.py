"""``countersign``: the root's word, handed to the node that waits for it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.codec.records import encode
from roosync_p2p.entries.incarnations import Known, Renewal, open_countersignature
from tests.admin.conftest import FOUNDER, Admin
from tests.helpers.api_server import running_api

_RENEWAL = Renewal(
    machine=FOUNDER,
    incarnation=2,
    store=b"store" + bytes(11),
    ledger=Known(incarnation=1, sequence=7, id=b"\x07" * 32),
    mail=None,
)


def _pending(renewal: Renewal = _RENEWAL) -> dict[str, Any]:
    return {"renewal": base64.b64encode(encode(renewal)).decode(), "reason": "restored", "issuers": ["myia-po-2023"]}


def test_the_root_countersigns_what_was_shown(admin: Admin, founder: Path) -> None:
    with running_api(founder) as api:
        api.backend.pending = _pending()
        done = admin(founder, "countersign", "--yes")
    assert done.code == 0
    for shown in ("restored", "7 of incarnation 1, " + "07" * 32, "none", "myia-po-2023"):
        assert shown in done.err
    (envelope,) = api.backend.offered
    assert open_countersignature(base64.b64decode(envelope), load_identity(founder).directory()) == _RENEWAL


def test_nothing_is_signed_that_nobody_agreed_to(admin: Admin, founder: Path) -> None:
    with running_api(founder) as api:
        api.backend.pending = _pending()
        error = admin(founder, "countersign", "--json").refused(1, "confirmation_needed")
    assert "--yes" in error["remedy"]
    assert api.backend.offered == []


def test_a_wrong_passphrase_signs_nothing(admin: Admin, tmp_path: Path, passphrase_file: Path) -> None:
    home = tmp_path / "home"
    admin(home, "init", "--machine", FOUNDER, "--json").document()
    with running_api(home) as api:
        api.backend.pending = _pending()
        passphrase_file.write_text("guess")
        admin(home, "countersign", "--yes", "--json").refused(1, "wrong_passphrase")
        assert api.backend.offered == []
        passphrase_file.write_text("phrase secrète", encoding="utf-8")
        assert admin(home, "countersign", "--yes", "--json").document()["incarnation"] == 2


@pytest.mark.parametrize(
    ("pending", "code", "name"),
    [
        (None, 1, "nothing_pending"),
        ({}, 1, "bad_renewal"),
        ({"renewal": "?"}, 1, "bad_renewal"),
        ({"renewal": "AAAA"}, 1, "malformed"),
        (
            _pending(Renewal(machine="other", incarnation=2, store=bytes(16), ledger=None, mail=None)),
            5,
            "wrong_machine",
        ),
    ],
)
def test_what_is_no_renewal_of_this_machine_is_not_signed(
    admin: Admin, founder: Path, pending: dict[str, Any] | None, code: int, name: str
) -> None:
    with running_api(founder) as api:
        api.backend.pending = pending
        admin(founder, "countersign", "--yes", "--json").refused(code, name)
    assert api.backend.offered == []


def test_without_a_node_nobody_waits(admin: Admin, founder: Path) -> None:
    admin(founder, "countersign", "--yes", "--json").refused(3, "not_running")
