"""Search: what a text may mean among all that the catalog knows, the best match first.

GraphQL, Marquez's routes and the command line ask `search.search`. `expanding` finds the words of the index that may be
meant, `candidates` what has them, `judging` how it fits, `pages` makes pages of that. May import every room.
"""
