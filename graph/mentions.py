"""Which datasets and jobs an observation names: each of them is a node from then on."""

from typing import assert_never

from catalog.keys import DatasetKey, JobKey
from catalog.observations import (
    AliasObserved,
    DatasetObserved,
    JobObserved,
    Observed,
    ParentObserved,
    ShapeObserved,
)
from catalog.openlineage.shape import Shape


def mentions(observed: Observed) -> list[DatasetKey | JobKey]:
    """Return every dataset and job that the observation names."""
    match observed:
        case DatasetObserved(key):
            return [key]
        case JobObserved(key):
            return [key]
        case ShapeObserved(job, _, _, shape):
            return [job] if shape is None else [job, *_named_by(shape)]
        case ParentObserved(job, parent, _):
            return [job, parent]
        case AliasObserved(dataset, alias, _, _):
            return [dataset, alias]
        case _:
            assert_never(observed)


def _named_by(shape: Shape) -> list[DatasetKey | JobKey]:
    return [*shape.inputs, *shape.outputs, *shape.job_inputs, *shape.job_outputs]
