"""``example-certs``: the same bytes everywhere, valid, and no key among them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from roosync_p2p.admin.examples import EXAMPLE_TIME_S
from roosync_p2p.errors import MalformedError
from roosync_p2p.trust.certificates import check_dates, parse_machine_certificate, parse_request
from roosync_p2p.trust.enrolment import enrolment_from_pem
from roosync_p2p.trust.invites import decode_join_code
from roosync_p2p.trust.keys import SigningKey
from tests.admin.conftest import Admin

PUBLISHED = Path(__file__).parents[2] / "certs.example"
_MONTH_S = 30 * 24 * 3600


def _content(folder: Path) -> dict[str, bytes]:
    """Line ends as they were written, whatever a checkout made of them."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes().replace(b"\r\n", b"\n") for path in files}


def test_the_published_examples_are_what_the_tool_makes(admin: Admin, tmp_path: Path) -> None:
    document = admin(tmp_path, "example-certs", str(tmp_path / "made"), "--json").document()
    made = _content(tmp_path / "made")
    assert made == _content(PUBLISHED)
    assert sorted(made) == sorted(document["files"])


def test_another_time_gives_other_certificates_of_the_same_keys(admin: Admin, tmp_path: Path) -> None:
    admin(tmp_path, "example-certs", str(tmp_path / "made"), "--seed-time", "2027-01-01T00:00:00Z")
    made = _content(tmp_path / "made")
    assert made["root.pem"] != _content(PUBLISHED)["root.pem"]
    assert made["example-member/request.pem"] == _content(PUBLISHED)["example-member/request.pem"]


def test_the_parts_belong_together() -> None:
    files = _content(PUBLISHED)
    enrolment = enrolment_from_pem(files["example-member/answer.pem"])
    enrolment.require_key(parse_request(files["example-member/request.pem"]).public)
    check_dates(parse_machine_certificate(enrolment.leaf), EXAMPLE_TIME_S * 1000)
    assert decode_join_code(files["join-code.txt"].decode()).fleet == enrolment.fleet
    assert enrolment.fleet.hex().encode() in files["README.txt"]


def test_no_private_key_is_published() -> None:
    keys = {name: data for name, data in _content(PUBLISHED).items() if name.endswith(".key")}
    assert len(keys) == 4
    for data in keys.values():
        assert b"PLACEHOLDER" in data
        with pytest.raises(MalformedError):
            SigningKey.from_pem(data)
    assert not any(b"PRIVATE KEY" in data for data in _content(PUBLISHED).values())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("machine", ["example-founder", "example-member"])
def test_openssl_verifies_the_chain(machine: str) -> None:
    at = str(EXAMPLE_TIME_S + _MONTH_S)
    chain = ["-CAfile", "root.pem", "-untrusted", "issuer.pem", f"{machine}/machine.pem"]
    done = subprocess.run(
        ["openssl", "verify", "-attime", at, *chain],
        cwd=PUBLISHED,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{machine}/machine.pem: OK\n"), done.stderr


def test_a_directory_with_other_things_is_left_alone(admin: Admin, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    admin(tmp_path, "example-certs", str(tmp_path), "--json").refused(1, "directory_not_empty")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["precious"]


def test_a_time_that_is_none_is_wrong_usage(admin: Admin, tmp_path: Path) -> None:
    admin(tmp_path, "example-certs", str(tmp_path / "x"), "--seed-time", "soon", "--json").refused(2, "bad_time")
