"""The node as a service of the user's own session: one module for what is written, one for who is asked."""
