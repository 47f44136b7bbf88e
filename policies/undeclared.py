"""What a pipeline's runs are seen to read and write beyond what its document says: allowed, and probably not meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from catalog.keys import DatasetKey
from policies.loops import PipelineEdges

READS_UNDECLARED = "reads-undeclared"
WRITES_UNDECLARED = "writes-undeclared"

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        READS_UNDECLARED: "its runs read {} but it stands in no `when`: a new version of it starts nothing",
        WRITES_UNDECLARED: "its runs write {} but it does not stand in `produces`: a loop through it is not found"
        " at apply",
    }
)


@dataclass(frozen=True, slots=True)
class PipelineWarning:
    """Something about a pipeline that is allowed and probably not meant; `dataset` is a node id."""

    code: str
    message: str
    dataset: str | None = None


@dataclass(frozen=True, slots=True)
class SeenUses:
    """What the jobs of a pipeline are seen to read and write now."""

    reads: frozenset[DatasetKey] = frozenset()
    writes: frozenset[DatasetKey] = frozenset()


def undeclared_uses(
    pipeline: PipelineEdges, seen: SeenUses, aliases: Mapping[DatasetKey, DatasetKey]
) -> list[PipelineWarning]:
    """Return a warning for each dataset that is read and stands in no `when`, or written and not in `produces`.

    What one job of the pipeline writes and another reads is no input of it. `aliases` maps a name of a dataset to the
    one name that stands for all of its names.
    """
    inner = _classes(seen.writes, aliases) | _classes(pipeline.reads, aliases)
    produced = _classes(pipeline.writes, aliases)
    return [
        *_warnings(READS_UNDECLARED, (key for key in seen.reads if aliases.get(key, key) not in inner)),
        *_warnings(WRITES_UNDECLARED, (key for key in seen.writes if aliases.get(key, key) not in produced)),
    ]


def _classes(keys: Iterable[DatasetKey], aliases: Mapping[DatasetKey, DatasetKey]) -> set[DatasetKey]:
    return {aliases.get(key, key) for key in keys}


def _warnings(code: str, keys: Iterable[DatasetKey]) -> list[PipelineWarning]:
    return [PipelineWarning(code, _TEXTS[code].format(key.node_id), key.node_id) for key in sorted(keys)]
