"""A synchronised directory on this computer, behind the port of the core (docs/protocol/folder.md §1)."""
