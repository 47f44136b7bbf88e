"""Stage 2 of the state follower: dataset versions and commands become decisions and pipeline runs.

Reads the `version_event` log and the facts of a batch, in ledger order; calls the pure functions of `policies`.
"""
