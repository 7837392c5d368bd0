"""``roosync-admin init``, ``list`` and ``show``: a fleet, and what is known of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import click

from roosync_p2p.admin.lines import certificate_lines, fleet_lines, list_lines
from roosync_p2p.api.terminal import Invocation, common_options, safe_line

__all__ = ["init", "list_machines", "show"]

_CERTIFICATE_SUFFIXES = (".pem", ".crt", ".cer")


@click.command()
@click.option("--fleet", "fleet_name", metavar="NAME", help="What people call the fleet. [default: the machine's id]")
@click.option("--machine", metavar="ID", help="This machine's id. [default: ROOSYNC_MACHINE_ID, else the host name]")
@click.option("--listen", metavar="HOST:PORT", help="Where links are accepted. [default: 0.0.0.0:47600]")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The shared folder: a directory that some program copies to every machine.",
)
@click.option("--no-passphrase", is_flag=True, help="Leave the root key open to whoever can read its file.")
@common_options
def init(
    invocation: Invocation,
    fleet_name: str | None,
    machine: str | None,
    listen: str | None,
    folder: Path | None,
    no_passphrase: bool,
) -> None:
    """Found a fleet: root key, first issuer, first machine.

    Asks for one passphrase, the root key's, twice. A script names a file that holds it in ROOSYNC_PASSPHRASE_FILE.

    \b
    Examples:
      roosync-admin init
      roosync-admin init --fleet "Our machines" --machine myia-ai-01 --listen 0.0.0.0:47600
      roosync-admin init --folder "G:/My Drive/.shared-state"
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.system import read_now  # noqa: PLC0415 - the same
    from roosync_p2p.admin.founding import Wishes, found  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import file_is_open_to_others, new_passphrase  # noqa: PLC0415 - the same

    if folder is not None:
        from roosync_p2p.adapters.shared_folder.opening import found_folder, require_directory  # noqa: PLC0415
        from roosync_p2p.adapters.shared_folder.remembering import remember_folder  # noqa: PLC0415 - the same

        require_directory(folder)
    founded = found(
        Home(invocation.home),
        Wishes(fleet_name=fleet_name, machine=machine, listen=listen),
        environ=os.environ,
        host_name=socket.gethostname(),
        passphrase=lambda: new_passphrase(os.environ, none_wanted=no_passphrase),
        wall_s=read_now().wall_ms // 1000,
    )
    if folder is not None:
        found_folder(folder, founded.identity.fleet)
        remember_folder(Home(invocation.home), folder)
    document = _founded_document(
        invocation, founded.identity.fleet.hex(), founded.identity.fleet_name, founded.identity.machine
    )
    document["resumed"] = founded.resumed
    if file_is_open_to_others(os.environ):
        document["warnings"].append(_OPEN_PASSPHRASE_FILE)
    if invocation.as_json:
        invocation.print_json(document)
    else:
        _print_founded(invocation, document)


@click.command("list")
@click.option("--invites", is_flag=True, help="Also the invites: outstanding, used, expired.")
@common_options
def list_machines(invocation: Invocation, invites: bool) -> None:
    """The machines and issuers of the fleet, as this machine knows them.

    \b
    Examples:
      roosync-admin list
      roosync-admin list --invites --json
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.system import read_now  # noqa: PLC0415 - the same
    from roosync_p2p.admin.listing import fleet_list  # noqa: PLC0415 - the same

    document = fleet_list(Home(invocation.home), with_invites=invites, wall_s=read_now().wall_ms // 1000)
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print("\n".join(list_lines(document)))


@click.command()
@click.argument("what", required=False, metavar="[MACHINE|CERT.pem]")
@common_options
def show(invocation: Invocation, what: str | None) -> None:
    """Certificates in detail: the fleet's, a machine's, or those in a file.

    \b
    Examples:
      roosync-admin show
      roosync-admin show myia-po-2023
      roosync-admin show answer.pem --json
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.adapters.system import read_now  # noqa: PLC0415 - the same
    from roosync_p2p.admin import listing  # noqa: PLC0415 - the same
    from roosync_p2p.admin.arguments import parse_machine_argument  # noqa: PLC0415 - the same
    from roosync_p2p.admin.documents import read_document  # noqa: PLC0415 - the same

    home, wall_s = Home(invocation.home), read_now().wall_ms // 1000
    if what is None:
        document = listing.show_fleet(home, wall_s=wall_s)
    elif _names_file(what):
        document = listing.show_file(home, read_document(what), wall_s=wall_s)
    else:
        document = listing.show_machine(home, parse_machine_argument(what), wall_s=wall_s)
    if invocation.as_json:
        invocation.print_json(document)
    elif what is None:
        invocation.print("\n".join(fleet_lines(document)))
    else:
        invocation.print("\n".join(certificate_lines(document["certificates"])).lstrip("\n"))


# --- what init says -----------------------------------------------------------------------------------------------

_SINGLE_ISSUER = {
    "code": "single_issuer",
    "message": "this machine is the only issuer: without it nobody can be admitted or renewed",
    "remedy": "roosync-admin backup FILE now; roosync-admin issuer request on a second machine as soon as there is one",
}
_OPEN_ROOT_KEY = {
    "code": "root_key_open",
    "message": "the root key has no passphrase: whoever reads its file owns the fleet",
    "remedy": "move it to a place that only you can reach",
}
_OPEN_PASSPHRASE_FILE = {
    "code": "passphrase_file_open",
    "message": "others on this computer can read the file that ROOSYNC_PASSPHRASE_FILE names",
    "remedy": "remove it, or make it readable for you alone",
}


def _founded_document(invocation: Invocation, fleet: str, fleet_name: str, machine: str) -> dict[str, Any]:
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - imported by the caller anyway
    from roosync_p2p.admin.listing import root_key_state  # noqa: PLC0415 - the same

    root_key = root_key_state(Home(invocation.home))
    no_backup = {
        "code": "no_backup",
        "message": f"the root key exists once, at {root_key['path']}; if it is lost, so is the fleet",
        "remedy": "copy that file to two places outside this computer, then remove it here; daily work needs it not",
    }
    return {
        "fleet": fleet,
        "fleet_name": fleet_name,
        "machine": machine,
        "home": str(invocation.home),
        "root_key": root_key,
        "warnings": [no_backup, _SINGLE_ISSUER] + ([] if root_key["encrypted"] else [_OPEN_ROOT_KEY]),
        "next": ["roosync up", "roosync-admin invite MACHINE"],
    }


def _print_founded(invocation: Invocation, document: dict[str, Any]) -> None:
    done = "finished founding" if document["resumed"] else "founded"
    invocation.print(
        f"{done} the fleet {safe_line(document['fleet_name'])}, with {document['machine']} as its first machine"
    )
    invocation.print(f"fleet id: {document['fleet']}")
    invocation.print(f"home: {safe_line(document['home'])}")
    for warning in document["warnings"]:
        invocation.print(f"\nwarning: {safe_line(warning['message'])}\n  remedy: {safe_line(warning['remedy'])}")
    invocation.print("\nnext:")
    for command in document["next"]:
        invocation.print(f"  {command}")


def _names_file(text: str) -> bool:
    """Whether an argument is a file rather than a machine, which has no dot in its id."""
    return text == "-" or Path(text).suffix.lower() in _CERTIFICATE_SUFFIXES or Path(text).is_file()
