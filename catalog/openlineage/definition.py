"""The job that stands for the definition of a dataset: what it is made of although no job is known to make it."""

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.limits import MAX_NAME_BYTES

#: Namespace of the jobs that stand for definitions; no producer's job has its name.
DEFINITIONS_NAMESPACE = "headwater:definitions"


def definition_job(dataset: DatasetKey) -> JobKey:
    """Return the job that stands for the dataset's definition."""
    name = dataset.node_id
    # Both parts of the dataset's name may be as long as a job's name at most is.
    return JobKey(
        DEFINITIONS_NAMESPACE, name if len(name.encode()) <= MAX_NAME_BYTES else f"dataset:{dataset.id}"
    )
