"""The home of a node: one directory with everything that belongs to it (docs/protocol/store.md §1).

Where it is: the option, else ``ROOSYNC_HOME``, else the platform's local application data, never the roaming one.
It is made owner-only, and never inside a synchronised folder (``adapters.synchronised``): a database that is copied
while it is written is a damaged one, and a copied key is a second machine of the same name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path, PurePath, PureWindowsPath
from typing import Final

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import create_private_directory, explained
from roosync_p2p.adapters.synchronised import refuse_synchronised
from roosync_p2p.errors import InputFault

__all__ = ["Home", "create_home", "default_home", "read_settings", "resolve_home"]

_APPLICATION: Final = "roosync"


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """The paths in one home. Nothing here touches the disk."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """What the user chose; may be missing."""
        return self.path / "settings.toml"

    @property
    def identity(self) -> Path:
        """Key and certificates of this machine, owner-only; see ``adapters.keystore``."""
        return self.path / "identity"

    @property
    def root(self) -> Path:
        """The encrypted root key, on the founding machine until it is moved away."""
        return self.path / "root"

    @property
    def database(self) -> Path:
        """The store; see ``adapters.sqlite``."""
        return self.path / "node.db"

    @property
    def blobs(self) -> Path:
        """What messages bring along; see ``adapters.blob_files``."""
        return self.path / "blobs"

    @property
    def api_file(self) -> Path:
        """Where the local API listens, and its token; owner-only, written at each start."""
        return self.path / "api.json"

    @property
    def sessions_file(self) -> Path:
        """The open sessions of this machine's agents, by the hashes of their secrets; owner-only."""
        return self.path / "sessions.json"

    @property
    def wakes_file(self) -> Path:
        """The messages that somebody on this computer is woken for, and who took which; owner-only."""
        return self.path / "wakes.json"

    @property
    def lock_file(self) -> Path:
        """What the running node holds; see ``adapters.home_lock``."""
        return self.path / "node.lock"

    @property
    def logs(self) -> Path:
        """Rotating JSON lines."""
        return self.path / "logs"

    @property
    def start_log(self) -> Path:
        """Why a start failed before logging began."""
        return self.logs / "start.log"


def resolve_home(option: str | None, environ: Mapping[str, str], platform: str) -> Home:
    """The home that a command means; it need not exist.

    Args:
        option: ``--home`` as given, or None.
        environ: the environment.
        platform: ``sys.platform``.
    """
    chosen = option or environ.get("ROOSYNC_HOME", "").strip()
    if chosen:
        with explained(Path(chosen), "find"):
            return Home(Path(chosen).expanduser().absolute())
    return Home(Path(default_home(environ, platform)))


def default_home(environ: Mapping[str, str], platform: str) -> PurePath:
    """The platform's directory for data that stays on this machine.

    ``%LOCALAPPDATA%`` is believed where it is set, because a task that runs at login may have been given another one.
    """
    # Loaded only here, and only the one that is needed: most commands are given a home, and all are waited for.
    if platform == "win32":
        local = environ.get("LOCALAPPDATA", "").strip()
        if not local:
            from platformdirs.windows import Windows  # noqa: PLC0415

            local = Windows(appauthor=False, roaming=False).user_data_dir
        return PureWindowsPath(local) / _APPLICATION
    if platform == "darwin":
        from platformdirs.macos import MacOS  # noqa: PLC0415

        return PurePath(MacOS(_APPLICATION).user_data_dir)
    from platformdirs.unix import Unix  # noqa: PLC0415

    return PurePath(Unix(_APPLICATION).user_data_dir)


def create_home(home: Home, environ: Mapping[str, str]) -> None:
    """Makes the home if it is not there, owner-only, and its ``logs``; an existing one is left as it is.

    Raises:
        InputFault: it would lie in a synchronised folder (``home_synchronised``), or a file is in its place
            (``home_not_directory``).
        EnvironmentFault: it cannot be made (``cannot_create``, ``disk_full``).
    """
    refuse_synchronised(home.path, environ)
    if home.path.exists() and not home.path.is_dir():
        raise InputFault(
            f"{home.path} is a file; the home is a directory",
            code="home_not_directory",
            remedy="choose another home with --home",
        )
    with explained(home.path, "create"):
        home.path.parent.mkdir(parents=True, exist_ok=True)
    if not home.path.is_dir():
        create_private_directory(home.path)
    with explained(home.logs, "create"):
        home.logs.mkdir(mode=0o700, exist_ok=True)


def read_settings(home: Home) -> bytes:
    """The settings file as it is, for ``core.settings.parse_toml``; empty if there is none.

    No more is read than one byte above ``limits.SETTINGS_BYTES_MAX``, which the parser then refuses.

    Raises:
        EnvironmentFault: it is there and cannot be read (``cannot_read``).
    """
    with explained(home.settings_file, "read"):
        try:
            with home.settings_file.open("rb") as file:
                return file.read(limits.SETTINGS_BYTES_MAX + 1)
        except FileNotFoundError:
            return b""
