"""Bytes in and out of the real server, by both clients, and into files."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import anyio
import pytest

from roosync_p2p import Client, SyncClient, limits
from roosync_p2p.api.exchange import Call
from roosync_p2p.api.saving import hand_over, save_attachment
from roosync_p2p.errors import InputFault, NetworkError, UsageError
from tests.helpers.api_server import RunningApi

DATA = bytes(range(256)) * 2_000
MESSAGE = "msg-20260115T091530-a1b2c3"


@pytest.mark.parametrize("data", [DATA, b""])
def test_bytes_come_back_as_they_were_handed_over(api: RunningApi, client: SyncClient, data: bytes) -> None:
    done: list[int] = []
    answer = client.upload(io.BytesIO(data), len(data), done.append, private=True)
    assert answer == {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    assert api.backend.attachments.private
    assert done[-1:] == ([len(data)] if data else [])
    target = io.BytesIO()
    assert client.download(MESSAGE, 0, target) == len(data)
    assert target.getvalue() == data


def test_the_async_client_does_the_same(api: RunningApi) -> None:
    async def both_ways() -> bytes:
        client = Client(api.home, environ={})
        answer = await client.upload(DATA)
        assert answer["sha256"] == hashlib.sha256(DATA).hexdigest()
        with pytest.raises(InputFault) as caught:
            await client.download(MESSAGE, 7)
        assert caught.value.code == "no_such_attachment"
        return await client.download(MESSAGE, 0)

    assert anyio.run(both_ways) == DATA


def test_an_attachment_that_is_none_is_told_and_nothing_is_written(client: SyncClient, tmp_path: Path) -> None:
    with pytest.raises(InputFault) as caught:
        save_attachment(client, MESSAGE, 3, "a.log", tmp_path)
    assert caught.value.code == "no_such_attachment"
    assert [path.name for path in tmp_path.iterdir() if path.name == "a.log"] == []
    with pytest.raises(UsageError) as wrong:
        client._do(Call(method="GET", path=f"/v1/messages/{MESSAGE}/attachments/x"))
    assert wrong.value.code == "bad_field"


def test_a_file_that_became_shorter_is_not_sent(client: SyncClient) -> None:
    with pytest.raises(UsageError) as caught:
        client.upload(io.BytesIO(b"abc"), 4)
    assert caught.value.code == "file_changed"


def test_an_upload_has_to_say_that_it_is_bytes(client: SyncClient) -> None:
    with pytest.raises(UsageError) as caught:
        client._do(Call(method="POST", path="/v1/attachments", body={}))
    assert caught.value.code == "not_bytes"


def test_a_file_is_saved_beside_what_is_there_under_a_name_that_harms_nothing(
    client: SyncClient, tmp_path: Path
) -> None:
    source = tmp_path / "été.log"
    source.write_bytes(DATA)
    handed = hand_over(client, source)
    assert handed == {"name": "été.log", "sha256": hashlib.sha256(DATA).hexdigest(), "size": len(DATA)}
    (place := tmp_path / "place").mkdir()
    for wanted in ("passwd", "passwd (2)"):
        saved = save_attachment(client, MESSAGE, 0, "../../etc/passwd", place)
        assert saved == place / wanted
        assert saved.read_bytes() == DATA
    with pytest.raises(InputFault) as caught:
        save_attachment(client, MESSAGE, 0, "a", tmp_path / "nowhere")
    assert caught.value.code == "no_such_directory"


def test_a_file_that_cannot_be_handed_over_says_why(client: SyncClient, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        hand_over(client, tmp_path / "absent")
    assert caught.value.code == "no_such_file"
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(limits.BLOB_BYTES_MAX + 1)
    with pytest.raises(UsageError) as caught:
        hand_over(client, large)
    assert caught.value.code == "too_large"


def test_what_ends_in_the_middle_leaves_no_file(
    client: SyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_id: str, _number: int, target: io.BufferedWriter, _progress: object) -> int:
        target.write(b"half")
        raise NetworkError("the node hung up", code="connection_lost")

    monkeypatch.setattr(client, "download", broken)
    (place := tmp_path / "place").mkdir()
    with pytest.raises(NetworkError):
        save_attachment(client, MESSAGE, 0, "a", place)
    assert list(place.iterdir()) == []
