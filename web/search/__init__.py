"""Search: what a text may mean among all that the catalog knows, the best match first.

GraphQL, Marquez's routes and the command line ask `search.search`. `names` finds datasets and jobs by their names with
PostgreSQL's built-in full-text search alone; `words` says how a text and a name are compared. May import every room.
"""
