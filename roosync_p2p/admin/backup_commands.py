"""``roosync-admin backup`` and ``restore``."""

from __future__ import annotations

from pathlib import Path

import click

from roosync_p2p.api.terminal import Invocation, common_options

__all__ = ["backup", "restore"]

_PASSPHRASE = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Holds the passphrase, alone in one line, for backups that nobody watches. [default: asked]",
)


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@_PASSPHRASE
@common_options
def backup(invocation: Invocation, target: Path, passphrase_file: Path | None) -> None:
    """Copy this home to one file that a passphrase seals. The node may run meanwhile.

    It holds the machine's keys and certificates, an issuer's key, the root key if it is here (with its own passphrase),
    the keys of persons, settings and store. Whoever has file and passphrase is this machine.

    \b
    Example:
      roosync-admin backup /media/usb/myia-ai-01.backup
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.backups import back_up  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import backup_passphrase  # noqa: PLC0415 - the same

    document = back_up(Home(invocation.home), target, backup_passphrase(passphrase_file, twice=True))
    if invocation.as_json:
        invocation.print_json(document)
    else:
        invocation.print(f"{document['machine']} is backed up to {target}")


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_PASSPHRASE
@common_options
def restore(invocation: Invocation, source: Path, passphrase_file: Path | None) -> None:
    """Make a home from a backup; its store begins a new life that an issuer countersigns.

    The old home must not run any more, nowhere.

    What this machine wrote after the backup is fetched from the others. Its store begins a new life, which an issuer
    countersigns by itself once it is linked; without another issuer: roosync-admin countersign. Until then the node
    receives, and writes nothing. If this machine held the fleet's only vote, recover comes after that.

    \b
    Example:
      roosync-admin --home /new/home restore /media/usb/myia-ai-01.backup
    """
    from roosync_p2p.adapters.home import Home  # noqa: PLC0415 - costs start-up time
    from roosync_p2p.admin.backups import restore as restored  # noqa: PLC0415 - the same
    from roosync_p2p.admin.passphrases import backup_passphrase  # noqa: PLC0415 - the same

    document = restored(Home(invocation.home), source, backup_passphrase(passphrase_file, twice=False))
    if invocation.as_json:
        invocation.print_json(document)
        return
    invocation.print(f"{document['machine']} is restored; its store begins a new life when its node starts: roosync up")
    if document["held_only_vote"]:
        invocation.print(
            "it held the fleet's only vote: once `roosync status` shows that it may write, `roosync-admin recover` and "
            "`roosync recover` let the fleet decide again"
        )
