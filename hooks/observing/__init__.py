"""Stage 1 of the state follower: facts become merged observations and dataset versions.

Facts are taken one after another in ledger order, so that the result does not depend on how they are cut into batches;
rows are read and written once for a batch.
"""
