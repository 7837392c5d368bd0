"""Frozen examples of what is put on wire and disk. A vector that changes is a change of the protocol."""
