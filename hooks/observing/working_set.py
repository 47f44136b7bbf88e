"""What one transaction of stage 1 works on: rows read for the whole batch, changed in memory, written once."""

from typing import Any

import psycopg

from hooks.deciding.records import VersionEvent
from hooks.observing.heard import Names
from hooks.observing.memory import Memory
from hooks.observing.rows.aliases import Aliases
from hooks.observing.rows.columns import ColumnLineages
from hooks.observing.rows.datasets import Datasets
from hooks.observing.rows.facets import Facets
from hooks.observing.rows.jobs import Jobs
from hooks.observing.rows.observations import Observations
from hooks.observing.rows.renames import Renames
from hooks.observing.rows.runs import Runs
from hooks.observing.rows.shapes import Shapes
from hooks.observing.rows.version_log import VersionLog
from hooks.observing.rows.versions import Versions


class WorkingSet:
    """The rows of one batch, by what they are rows of."""

    def __init__(self, connection: psycopg.Connection[Any], memory: Memory) -> None:
        self.observations = Observations(connection)
        self.datasets = Datasets(connection, memory, self.observations)
        self.aliases = Aliases(connection, memory, self.observations)
        self.renames = Renames(connection, self.observations)
        self.jobs = Jobs(connection, memory, self.observations)
        self.shapes = Shapes(connection, memory)
        self.columns = ColumnLineages(connection, memory)
        self.dataset_facets = Facets(connection, memory, "dataset")
        self.job_facets = Facets(connection, memory, "job")
        self.runs = Runs(connection)
        self.versions = Versions(connection)
        self.version_log = VersionLog(connection, self.aliases)

    def load(self, names: Names) -> None:
        """Read what is not remembered of everything that the batch names."""
        wanted = names.runs | names.parents
        if wanted:
            self.runs.load(wanted)
        unseen = [run for run in names.runs if self.runs.get(run) is None]
        if unseen:
            # Children may have come before their parents.
            self.runs.load_children(unseen)
        self.columns.load(self.runs.column_digests())
        self.dataset_facets.load(names.described_datasets)
        self.job_facets.load(names.described_jobs)
        self.datasets.load(names.datasets)
        # A run that the batch goes on with may have told of a job that the batch does not name.
        self.jobs.load(names.jobs | self.runs.jobs())
        self.aliases.load(pairs=names.aliased, classes=names.datasets)
        self.renames.load(names.renamed)

    def flush(self) -> list[VersionEvent]:
        """Write every change; return the new records of the version log."""
        self.datasets.flush()
        new_jobs = self.jobs.flush()
        self.columns.flush()
        self.dataset_facets.flush()
        self.job_facets.flush()
        self.shapes.flush(new_jobs)
        self.aliases.flush()
        self.renames.flush()
        self.runs.flush()
        self.versions.flush()
        self.observations.flush()
        return self.version_log.flush()
