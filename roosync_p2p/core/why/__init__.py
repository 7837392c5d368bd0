"""Why something is as it is, and what it waits for: answers from facts that the core has (docs/protocol/api.md §4.5).

Each module tells of one kind. An answer is a plain object with the facts, and a list of what is waited for: a ``code``
and what belongs to it, the worst first. Nothing is changed and nothing guessed.
"""
