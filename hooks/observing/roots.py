"""The root of each run: the run that started it, and what started that, up to one that nobody started."""

import uuid

from hooks.observing.rows.runs import RunRow, Runs

#: A chain of parents longer than this is cut: it names itself, or nobody can read it.
MAX_ANCESTORS = 32


def assign_root(runs: Runs, row: RunRow, known: RunRow | None) -> set[uuid.UUID]:
    """Give the run its root, and hand it down; return the roots that lost, gained or have changed runs.

    `known` is the row as it was before, None where it is new.
    """
    if known is not None and known.merged.parent == row.merged.parent:
        return {row.root_run_id}  # A change above it has been, or will be, passed down to it.
    root = _root_of(runs, row)
    touched = {row.root_run_id, root}
    if root == row.root_run_id and (known is not None or root == row.id):
        return touched
    row.root_run_id = root
    if known is not None:
        runs.load_children([row.id])
    changed = [row]
    for _ in range(MAX_ANCESTORS):
        # Runs that came before their parent learn the root from it now.
        below = [child for parent in changed for child in runs.children_of(parent.id)]
        changed = [child for child in below if _root_of(runs, child) != child.root_run_id]
        for child in changed:
            touched |= {child.root_run_id, _root_of(runs, child)}
            child.root_run_id = _root_of(runs, child)
            runs.save(child)
        if not changed:
            break
        runs.load_children([child.id for child in changed])
    return touched


def _root_of(runs: Runs, row: RunRow) -> uuid.UUID:
    parent = row.merged.parent
    if parent is None:
        return row.id
    if parent.root is not None:
        return parent.root.run_id
    above = runs.get(parent.run.run_id)
    if above is None or above.root_run_id == row.id:
        return parent.run.run_id
    return above.root_run_id
