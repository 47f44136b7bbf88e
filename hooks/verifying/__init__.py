"""The laws as checks of what is stored: ledger, followers, state, runs and attempts, each against what makes it.

A check reads one snapshot and changes nothing. The graph is held against its log by `graph.verification`.
"""
