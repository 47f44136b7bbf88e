"""Batched reads, a module and a `.sql` file for each noun: each function asks for a whole cohort with one statement."""
