"""The shared folder as a fallback transport: what is written there and what is believed of it (folder.md)."""
