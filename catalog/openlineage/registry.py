"""Every facet of OpenLineage, where it stands in an event and what it does here; readers are looked up through it.

RULES                              every facet, in the order of the page `docs/openlineage.md`
rules_of(place) -> by name         those that stand at one place of an event

A facet that is not named here, a producer's own for example, is kept and shown like those without an effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from catalog.openlineage import readers
from catalog.openlineage.column_facets import column_lineage, entry_columns, lineage_columns
from catalog.openlineage.explicit import lineage_entries, lineage_sources

#: Where an event holds a facet: on its run, its job, a dataset, or a dataset as an input or output of one run.
Place = Literal["run", "job", "dataset", "input", "output"]

#: Reads one facet into its register's value; appends what it had to leave out, raises `SloppyError`
#: where nothing is left.
Reader = Callable[[dict[str, Any], list[str]], Any]


@dataclass(frozen=True, slots=True)
class FacetRule:
    """What one facet does: `effect` is a sentence for users, `registers` what of it decides, by register.

    `schema` is the file of the specification that describes the facet, without its ending; empty where none does.
    """

    place: Place
    name: str
    schema: str
    effect: str
    registers: tuple[tuple[str, Reader], ...] = ()


_SHOWN = "Shown as `facets` of the {}; nothing is decided by it."
_OF_RUN, _OF_JOB, _OF_DATASET = (_SHOWN.format(noun) for noun in ("run", "job", "dataset"))
_OF_ROLE = _SHOWN.format("run's input or output")

RULES: tuple[FacetRule, ...] = (
    FacetRule(
        "dataset",
        "schema",
        "SchemaDatasetFacet",
        "The fields of the version that the run makes; `fields` and `schemaHistory` of the dataset.",
        (("schema", readers.fields),),
    ),
    FacetRule(
        "dataset",
        "columnLineage",
        "ColumnLineageDatasetFacet",
        "Of an output: which fields each of its fields is made of, in the job's lineage from the run's end on. "
        "Of a DatasetEvent: the same in the lineage of the dataset's definition.",
        (("columns", column_lineage),),
    ),
    FacetRule(
        "dataset",
        "lineage",
        "LineageFacet",
        "Of an output: exactly these datasets, jobs and fields feed it; that every input feeds every output is no "
        "longer assumed of its run. Of a DatasetEvent: what the dataset is derived from by its definition, without "
        "a job that runs.",
        (("lineage", lineage_sources), ("lineage_columns", lineage_columns)),
    ),
    FacetRule(
        "dataset",
        "version",
        "DatasetVersionDatasetFacet",
        "The identity of the version that the run makes: several runs that tell of one version make it once.",
        (("version", readers.version),),
    ),
    FacetRule(
        "dataset",
        "lifecycleStateChange",
        "LifecycleStateChangeDatasetFacet",
        "DROP, RENAME and ALTER make no version; RENAME makes a dated edge from the former name.",
        (("lifecycle", readers.lifecycle),),
    ),
    FacetRule(
        "dataset",
        "symlinks",
        "SymlinksDatasetFacet",
        "The names are aliases of one dataset: edges in the graph, and a condition on any of them sees a version.",
        (("symlinks", readers.symlinks),),
    ),
    FacetRule(
        "dataset",
        "documentation",
        "DocumentationDatasetFacet",
        "`description` of the dataset.",
        (("description", readers.description),),
    ),
    FacetRule("dataset", "ownership", "OwnershipDatasetFacet", "`owners` of the dataset."),
    FacetRule("dataset", "tags", "TagsDatasetFacet", "`tags` of the dataset and of its fields."),
    FacetRule("dataset", "datasetType", "DatasetTypeDatasetFacet", "`datasetType` of the dataset."),
    FacetRule("dataset", "storage", "StorageDatasetFacet", _OF_DATASET),
    FacetRule("dataset", "catalog", "CatalogDatasetFacet", _OF_DATASET),
    FacetRule("dataset", "hierarchy", "HierarchyDatasetFacet", _OF_DATASET),
    FacetRule("dataset", "dataSource", "DatasourceDatasetFacet", _OF_DATASET),
    FacetRule("dataset", "dataQualityMetrics", "DataQualityMetricsDatasetFacet", _OF_DATASET),
    FacetRule(
        "job",
        "lineage",
        "LineageFacet",
        "Exactly these sources feed these datasets and jobs; that every input feeds every output is no longer assumed.",
        (("lineage", lineage_entries), ("entry_columns", entry_columns)),
    ),
    FacetRule("job", "documentation", "DocumentationJobFacet", "`description` of the job."),
    FacetRule("job", "ownership", "OwnershipJobFacet", "`owners` of the job."),
    FacetRule("job", "tags", "TagsJobFacet", "`tags` of the job."),
    FacetRule("job", "jobType", "JobTypeJobFacet", "`jobType` of the job."),
    FacetRule("job", "sql", "SQLJobFacet", "`sql` of the job."),
    FacetRule("job", "sourceCode", "SourceCodeJobFacet", _OF_JOB),
    FacetRule("job", "sourceCodeLocation", "SourceCodeLocationJobFacet", _OF_JOB),
    FacetRule(
        "run",
        "parent",
        "ParentRunFacet",
        "The run that started this one, and with `root` the run that started them all: both are found from the run, "
        "the jobs are joined in the graph, and a `VersionScope` may make versions by the root run.",
        (("parent", readers.parent),),
    ),
    FacetRule(
        "run",
        "parentRun",
        "",
        "The older name of `parent`; read where that is absent.",
        (("legacy_parent", readers.parent),),
    ),
    FacetRule(
        "run",
        "nominalTime",
        "NominalTimeRunFacet",
        "The time for which the run was scheduled.",
        (("nominal", readers.nominal),),
    ),
    FacetRule(
        "run",
        "errorMessage",
        "ErrorMessageRunFacet",
        "What went wrong, as the run's error.",
        (("error", readers.error),),
    ),
    FacetRule(
        "run",
        "extractionError",
        "ExtractionErrorRunFacet",
        "Some lineage is missing: the run changes nothing in its job's lineage; its versions are made.",
        (("extraction_error", readers.extraction_error),),
    ),
    FacetRule("run", "tags", "TagsRunFacet", "`tags` of the run."),
    FacetRule("run", "processing_engine", "ProcessingEngineRunFacet", _OF_RUN),
    FacetRule(
        "run",
        "environmentVariables",
        "EnvironmentVariablesRunFacet",
        "The values of the variables are redacted before anything is stored. " + _OF_RUN,
    ),
    FacetRule("run", "externalQuery", "ExternalQueryRunFacet", _OF_RUN),
    FacetRule("run", "executionParameters", "ExecutionParametersRunFacet", _OF_RUN),
    FacetRule("run", "jobDependencies", "JobDependenciesRunFacet", _OF_RUN),
    FacetRule("run", "test", "TestRunFacet", _OF_RUN),
    FacetRule(
        "input",
        "inputStatistics",
        "InputStatisticsInputDatasetFacet",
        "Rows, bytes and files that were read.",
        (("statistics", readers.statistics),),
    ),
    FacetRule(
        "input",
        "subset",
        "BaseSubsetDatasetFacet",
        "The partition that was read, where it is exactly one.",
        (("partition", readers.partition),),
    ),
    FacetRule("input", "dataQualityMetrics", "DataQualityMetricsInputDatasetFacet", _OF_ROLE),
    FacetRule("input", "dataQualityAssertions", "DataQualityAssertionsDatasetFacet", _OF_ROLE),
    FacetRule(
        "output",
        "outputStatistics",
        "OutputStatisticsOutputDatasetFacet",
        "Rows, bytes and files of the version that the run makes.",
        (("statistics", readers.statistics),),
    ),
    FacetRule(
        "output",
        "subset",
        "BaseSubsetDatasetFacet",
        "The partition of the version that the run makes, where it is exactly one.",
        (("partition", readers.partition),),
    ),
)

_BY_PLACE: dict[Place, Mapping[str, FacetRule]] = {
    place: MappingProxyType({rule.name: rule for rule in RULES if rule.place == place})
    for place in get_args(Place)
}


def rules_of(place: Place) -> Mapping[str, FacetRule]:
    """Return the facets that are known to stand at a place of an event, by name."""
    return _BY_PLACE[place]
