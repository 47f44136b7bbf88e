"""GraphQL: the one language in which Headwater is asked and told what to do.

`schema` assembles the types of `types`; `loaders` read for whole lists at once; `execution` runs a request in a worker
thread over one snapshot of the database; `router` is the way in over HTTP. May import every room.
"""
