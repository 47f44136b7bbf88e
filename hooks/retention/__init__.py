"""Retention: the bodies of old events are given up, once a checkpoint stands for them and a fact says so.

    horizon   up to which position bodies may go
    bodies    taking them, some at a time
    rounds    one round after another: checkpoint, fact, bodies; safe to end at any instant
    standing  what is kept and what was removed
    periodic  rounds of a worker, once a day

Everything else that the ledger holds stays, and so does the state: answers are made from that.
"""
