"""Files that an agent names: handed to the node with what it sends, or refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.errors import UsageError
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.tools import call_tool
from tests.helpers.api_server import running_api
from tests.mcp_server.test_caller import silent, with_caller


def test_files_are_handed_over_once_all_of_them_may_be(tmp_path: Path) -> None:
    file, empty = tmp_path / "été.log", tmp_path / "empty"
    file.write_bytes(b"ici")
    empty.touch()
    refused = (
        ([str(file), "trace.log"], "bad_field"),
        ([str(file)] * (limits.ATTACHMENTS_MAX + 1), "too_many"),
        ([str(tmp_path)], "no_such_file"),
        ([str(tmp_path / "missing")], "no_such_file"),
    )

    with running_api(tmp_path / "home") as api:

        async def story(caller: Caller) -> None:
            async def send(**more: Any) -> None:
                asked = {"to": "machine-a", "subject": "Une trace", "body": "", **more}
                await call_tool(caller, "roosync_send", asked, silent)

            for paths, code in refused:
                with pytest.raises(UsageError) as caught:
                    await send(attachments=paths)
                assert caught.value.code == code
            with pytest.raises(UsageError) as amended:
                await send(action="amend", message_id="m", new_content="x", attachments=[str(file)])
            assert amended.value.code == "bad_field"
            assert (api.backend.messages, api.backend.attachments.uploads) == ({}, [])
            await send(attachments=[str(file), str(empty)])
            assert (len(api.backend.messages), api.backend.attachments.uploads) == (1, [b"ici", b""])

        with_caller(api.home, story)
