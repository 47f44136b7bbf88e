"""The collector of cycles, told how a process that serves many requests, or follows a log, makes objects."""

import gc

#: New objects after which those among them that hold each other in a circle are looked for.
YOUNG_OBJECTS = 20_000


def spare_collections() -> None:
    """Let the collector pass over what the imports left, and come less often.

    An answer of thousands of objects sets off dozens of collections, and so does a batch of a follower, which remembers
    much of what it made; each would go through all that lives. That was a third of the time of an answer, and a
    quarter of that of a batch.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
