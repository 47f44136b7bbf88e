"""The closed sets of words that answers use; values are those of the database and of the other rooms."""

from enum import Enum

import strawberry

from graph.model import Direction
from policies.transitions import MEANINGS, RunState
from web.graphql.types.declaring import enum_type, word

strawberry.enum(
    Direction,
    description="Which way a traversal goes. BOTH is the union of the two closures: never siblings and cousins.",
)
strawberry.enum(
    RunState,
    name="PipelineRunState",
    description="\n".join(
        ["Where a pipeline run stands.", "", *(f"- {state.name}: {text}" for state, text in MEANINGS.items())]
    ),
)


@enum_type
class NodeKind(Enum):
    """What stands in the graph."""

    DATASET = "dataset"
    JOB = "job"
    FIELD = word("datasetField", "A field of a dataset.")


@enum_type
class IncompleteReason(Enum):
    """Why an answer is not the whole one; where several reasons hold, the first in this order is given."""

    PARKED = word("PARKED", "A record that touches the answer could not be applied.")
    RESTRICTED = word("RESTRICTED", "The caller may not see everything.")
    TIME = word("TIME", "The time allowed was over.")
    NODE_LIMIT = word("NODE_LIMIT", "The number of nodes allowed was reached.")
    DEPTH = word("DEPTH", "Something lies beyond the depth asked for.")


@enum_type
class DatasetVersionState(Enum):
    """What a version counts for."""

    PUBLISHED = word("published", "Made by a success: it triggers.")
    PARTIAL = word("partial", "Left by a run that failed: shown, and triggers nothing.")
    DISPUTED = word("disputed", "Published, and a failure was told afterwards.")
    WITHDRAWN = word("withdrawn", "Taken back: by what its run said later, it made no such version.")


@enum_type
class DatasetVersionOrigin(Enum):
    """Who made a version known."""

    RUN = word("run", "A run that wrote the dataset.")
    ROOT_RUN = word("rootRun", "A root run, once for all of its steps.")
    DATASET_EVENT = word("datasetEvent", "An OpenLineage DatasetEvent.")
    REPORT = word("report", "A version report.")


@enum_type
class ConsumptionBasis(Enum):
    """How it is known that a run read a version."""

    CONSUMED = word("consumed", "The run's pipeline run took it from a queue.")
    CURRENT_AT_START = word("currentAtStart", "It was the current version of an input when the run started.")


@enum_type
class RunEventType(Enum):
    """The state of an OpenLineage run: the type of its greatest terminal event, else of its greatest event."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


@enum_type
class PipelineState(Enum):
    """Whether a pipeline starts runs."""

    ACTIVE = word("active", "It starts runs when they are due.")
    PAUSED = word("paused", "Versions queue up and start nothing.")
    DELETED = word("deleted", "Its document was deleted; its history stays.")


@enum_type
class RunCause(Enum):
    """What made a pipeline run due."""

    VERSIONS = word("versions", "Versions made its condition true.")
    MANUAL = word("manual", "Somebody triggered it.")


@enum_type
class AttemptOutcome(Enum):
    """How an attempt ended."""

    EXITED = word("exited", "With an exit code.")
    SUCCEEDED = word("succeeded", "The engine said that it ended well.")
    FAILED = word("failed", "The engine said that it ended badly, or refused it.")
    TIMED_OUT = word("timed_out", "It took too long and was ended.")
    CANCELLED = word("cancelled", "Somebody stopped it.")
    LOST = word("lost", "Nobody can know how.")
    NOT_STARTED = word("not_started", "Nothing of it was ever executed.")


@enum_type
class Launcher(Enum):
    """What starts the runs of a pipeline."""

    COMMAND = word("command", "A worker that was started with `--allow-commands`.")
    HTTP = word("http", "A request to an engine, which any worker sends.")
    AIRFLOW = word("airflow", "A DAG run of Airflow, which any worker asks for.")


@enum_type
class ConditionKind(Enum):
    """What a node of a condition is."""

    DATASET = word("dataset", "True while a version of the dataset is queued.")
    ALL = word("all", "True while every child is.")
    ANY = word("any", "True while at least one child is.")


@enum_type
class CauseKind(Enum):
    """What a line of a chain of causes is about."""

    VERSION = word("version", "A dataset version that was consumed.")
    RUN = word("run", "The run that made the version above it.")
    PIPELINE_RUN = word("pipelineRun", "The pipeline run that the run belongs to.")
    FACT = word("fact", "An event, a report or a command.")


@enum_type
class DocumentChangeKind(Enum):
    """What applying a document does."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
