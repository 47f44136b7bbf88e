"""The rows that one transaction of stage 1 works on: read for the whole batch, changed in memory, written once.

A module for each group of tables. None of them sees facts or events, and none decides what becomes of a row.
"""
