"""What every shared folder does, the fake and the real one: the port's promises, for one machine alone."""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p.core.ports import Folder, FolderItem

__all__ = ["FolderSuite"]

HEARTBEAT = "p2p/v1/machine-a/heartbeat"
SEGMENT = "p2p/v1/machine-a/entries/1/mail-1-3.seg"


class FolderSuite:
    """Inherit, and give a fixture ``make`` that opens an empty folder."""

    def test_what_is_written_is_read(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write(SEGMENT, b"three entries")
        assert folder.read(SEGMENT, bytes_max=100) == b"three entries"

    def test_what_is_absent_reads_as_nothing(self, make: Callable[[], Folder]) -> None:
        folder = make()
        assert folder.read(HEARTBEAT, bytes_max=100) is None
        assert folder.items("p2p/v1/machine-a") == []

    def test_a_file_is_replaced_whole(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write(HEARTBEAT, b"a longer one before")
        folder.write(HEARTBEAT, b"short")
        assert folder.read(HEARTBEAT, bytes_max=100) == b"short"

    def test_reading_is_bounded(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write(HEARTBEAT, bytes(1_000))
        assert folder.read(HEARTBEAT, bytes_max=10) == bytes(10)

    def test_a_large_file_is_written_and_read_in_pieces(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write_pieces(SEGMENT, [b"one", b"", b"two", b"three"])
        assert folder.read(SEGMENT, bytes_max=100) == b"onetwothree"
        assert [folder.read_at(SEGMENT, offset, 4) for offset in (0, 3, 9, 11, 50)] == [
            b"onet",
            b"twot",
            b"ee",
            b"",
            b"",
        ]
        assert folder.read_at(HEARTBEAT, 0, 4) is None

    def test_a_directory_lists_its_files_with_sizes_and_its_directories(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write(HEARTBEAT, b"12345")
        folder.write(SEGMENT, b"123")
        shown = [item for item in folder.items("p2p/v1/machine-a") if item.name != "tmp"]
        assert shown == [FolderItem(name="entries", folder=True), FolderItem(name="heartbeat", size=5)]
        assert folder.items("p2p/v1/machine-a/entries/1") == [FolderItem(name="mail-1-3.seg", size=3)]

    def test_a_deleted_file_is_gone_and_deleting_again_is_nothing(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write(SEGMENT, b"x")
        folder.delete(SEGMENT)
        folder.delete(SEGMENT)
        assert folder.read(SEGMENT, bytes_max=100) is None
        assert folder.items("p2p/v1/machine-a/entries/1") == []

    def test_an_empty_file_is_a_file(self, make: Callable[[], Folder]) -> None:
        folder = make()
        folder.write(HEARTBEAT, b"")
        assert folder.read(HEARTBEAT, bytes_max=100) == b""

    def test_asking_whether_it_may_be_written_says_nothing_of_a_healthy_one_and_leaves_nothing(
        self, make: Callable[[], Folder]
    ) -> None:
        folder = make()
        folder.check_writing("p2p/v1/machine-a")
        assert folder.items("p2p/v1") == []
        folder.write(HEARTBEAT, b"x")
        folder.check_writing("p2p/v1/machine-a")
