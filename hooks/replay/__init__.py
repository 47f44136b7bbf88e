"""The ledger followed again, with the code of the state follower, into tables that are gone afterwards.

Nothing of the catalog is written: the copy lies in temporary tables of one session, and the session may write nothing
else. What is compared, and what becomes a checkpoint, is made here.
"""
