"""Stage 1 of the state follower: facts become merged observations and dataset versions.

Facts are taken one after another in ledger order, so that the result does not depend on how they are cut into batches;
rows are read and written once for a batch.

    stage       one batch; what is remembered between batches is in `memory`
    heard       what each fact says, and everything that a batch names
    observer    one fact after another: `roots` of runs, `lineage` of jobs (`history`), versions (`publisher`)
    versions    which versions are made: pure functions; `scopes` say by which run
    working_set the rows of one batch, by group of tables in `rows`
"""
