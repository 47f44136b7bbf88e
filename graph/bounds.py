"""What a caller may ask of a walk."""

from catalog.errors import InvalidInput


def check_bounds(depth: int, max_nodes: int) -> None:
    """Raise `InvalidInput` unless the depth is at least 0 and the number of nodes at least 1."""
    if depth < 0:
        raise InvalidInput(f"expected a depth of at least 0, found {depth}", pointer="/depth")
    if max_nodes < 1:
        raise InvalidInput(f"expected room for at least 1 node, found {max_nodes}", pointer="/maxNodes")


def check_most(most: int) -> None:
    """Raise `InvalidInput` unless the number of jobs is at least 0."""
    if most < 0:
        raise InvalidInput(f"expected room for at least 0 jobs, found {most}", pointer="/first")
