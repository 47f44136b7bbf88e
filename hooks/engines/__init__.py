"""Attempts that outside engines run and any worker may start and ask about: their standing, and the jobs that move it.

An attempt is moved in steps. Each begins with a transaction that takes it for a while and ends with one that writes
what came of the step; what a dead worker left half done is taken up when that while is over. Adapters to engines live
in `hooks.launchers` and know no database.
"""
