"""The commit log inside a node: from signed ledger entries to one order, and from the order to the ledger.

Data goes through these files once: ``waiting`` holds what has no number yet, ``proposer`` offers it when this node
leads, ``order`` drives the consensus, ``applier`` applies what was committed, ``requests`` answers whoever waits,
``seats`` moves the quorum, ``commit_log`` joins them for the node (docs/protocol/ordering.md).
"""
