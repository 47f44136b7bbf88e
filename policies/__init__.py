"""Pure decisions: trigger conditions, what is due, retries, loops.

May import `catalog`. Reads no clock, no database, no network: time and ledger position are arguments.
"""
