"""What the core asks of the shared folder, done: alike in the node, in the simulation and in tests."""

from __future__ import annotations

from typing import TypeAlias

from roosync_p2p.core import effects, inputs
from roosync_p2p.core.folder.reading import check_marker, look
from roosync_p2p.core.ports import Folder
from roosync_p2p.errors import FolderError
from roosync_p2p.gossip.folder_paths import ROOT
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.directory import Directory

__all__ = ["FolderAnswer", "FolderJob", "performed"]

FolderJob: TypeAlias = effects.PublishFiles | effects.LookIntoFolder
FolderAnswer: TypeAlias = inputs.FilesPublished | inputs.FolderLooked


def performed(folder: Folder, job: FolderJob, directory: Directory) -> FolderAnswer:
    """Does it and returns the input that answers. Blocks for as long as the folder does."""
    match job:
        case effects.LookIntoFolder(wanted=wanted):
            try:
                looked = look(folder, wanted, directory)
            except FolderError as fault:
                return inputs.FolderLooked(job=job.job, looked=None, fault=fault)
            return inputs.FolderLooked(job=job.job, looked=looked, fault=None, writing=_writing(folder, wanted.me))
        case effects.PublishFiles():
            written: list[str] = []
            removed: list[str] = []
            try:
                check_marker(folder, job.fleet)
                for path, data in job.files:
                    folder.write(path, data)
                    written.append(path)
                for path in job.removed:  # last: what replaces them is there
                    folder.delete(path)
                    removed.append(path)
            except FolderError as fault:
                return inputs.FilesPublished(job=job.job, written=tuple(written), removed=tuple(removed), fault=fault)
            return inputs.FilesPublished(job=job.job, written=tuple(written), removed=tuple(removed), fault=None)


def _writing(folder: Folder, me: MachineId) -> FolderError | None:
    """What speaks against writing into this machine's part, asked without writing: at rest nothing is written."""
    try:
        folder.check_writing(f"{ROOT}/{me}")
    except FolderError as fault:
        return fault
    return None
