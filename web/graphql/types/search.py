"""What a search finds."""

from enum import Enum

import strawberry

from catalog.search.texts import ASKED_FIELDS, KINDS, Field
from catalog.search.words import Match
from web.graphql.connections import Edge, PageInfo
from web.graphql.records import DatasetRecord, JobRecord, PipelineRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import enum_type, input_type, object_type, plain, resolved, word
from web.graphql.types.references import DatasetType, JobType, PipelineType
from web.search.hits import FoundIn, Hit, SearchFilters, Unfinished
from web.search.pages import SearchPage


@enum_type
class SearchKind(Enum):
    """What can be found."""

    DATASET = "dataset"
    JOB = "job"
    PIPELINE = "pipeline"


@enum_type
class SearchField(Enum):
    """Where a text can be found, what says most about a thing first."""

    NAME = word(Field.NAME.name, "Its name.")
    COLUMN = word(
        Field.COLUMN.name, "A column of its schema as it was told last; one within another is `outer.inner`."
    )
    TAG = word(
        Field.TAG.name, "A tag of it or of a column, as `key` and as `key:value`; a label of a pipeline."
    )
    OWNER = word(Field.OWNER.name, "An owner.")
    DESCRIPTION = word(Field.DESCRIPTION.name, "Its description, or that of a column.")


@enum_type
class SearchMatch(Enum):
    """How what was found fits the text, the best first."""

    EXACT = word(Match.EXACT.value, "The whole text is so, in whatever case, or it is its node id.")
    PREFIX = word(
        Match.PREFIX.value, "The text begins so, or each word that is asked for begins a word of it."
    )
    FUZZY = word(
        Match.FUZZY.value, "Some word that is asked for stands within a word, or has one typing error."
    )


@enum_type
class SearchIncompleteReason(Enum):
    """Why a list is not all that fits; where several reasons hold, the first in this order is given."""

    NOT_INDEXED = word(
        Unfinished.NOT_INDEXED.value,
        "Not all that is known is in the index yet: after an upgrade, a restore or very many changes at once.",
    )
    NOT_JUDGED = word(
        Unfinished.NOT_JUDGED.value,
        "So much may fit that not all of it was judged: more words or filters make it fewer.",
    )
    NOT_SOUGHT = word(
        Unfinished.NOT_SOUGHT.value,
        "100 or more fit exactly or by their beginnings: what holds a word within or with a typing error was not "
        "looked for.",
    )


@input_type
class SearchFilter:
    """What may be found: everything that is given must be so."""

    kinds: list[SearchKind] | None = strawberry.field(default=None, description="Only of these kinds.")
    namespace: str | None = strawberry.field(default=None, description="Only of this namespace.")
    tags: list[str] | None = strawberry.field(
        default=None,
        description="Only what has each of these tags, itself or on a column: `key` or `key:value`, in whatever case.",
    )
    owners: list[str] | None = strawberry.field(
        default=None,
        description="Only what each of these owns, in whatever case; what follows the colon of `team:NAME` is enough.",
    )
    columns: list[str] | None = strawberry.field(
        default=None, description="Only what has each of these columns, in whatever case."
    )
    fields: list[SearchField] | None = strawberry.field(
        default=None, description="Where the text is looked for; everywhere without this."
    )

    def chosen(self) -> SearchFilters:
        """Return it as the search takes it."""
        return SearchFilters(
            kinds=KINDS if self.kinds is None else tuple(kind.value for kind in self.kinds),
            namespace=self.namespace,
            tags=self.tags or (),
            owners=self.owners or (),
            columns=self.columns or (),
            fields=ASKED_FIELDS
            if self.fields is None
            else tuple(
                field for field in ASKED_FIELDS if field.name in {chosen.value for chosen in self.fields}
            ),
        )


def _dataset(root: Hit) -> DatasetRecord | None:
    """The dataset, where it is one."""
    return root.record if isinstance(root.record, DatasetRecord) else None


def _job(root: Hit) -> JobRecord | None:
    """The job, where it is one."""
    return root.record if isinstance(root.record, JobRecord) else None


def _pipeline(root: Hit) -> PipelineRecord | None:
    """The pipeline, where it is one."""
    return root.record if isinstance(root.record, PipelineRecord) else None


def _field(root: FoundIn) -> SearchField:
    """What it is of what was found."""
    return SearchField[root.field.name]


@object_type
class SearchFoundIn:
    """A text that fits what was looked for."""

    field = resolved(_field, SearchField)
    text: str = plain(
        "The text; of a long one what stands around the place that fits, with … where it was cut."
    )
    column: str | None = plain("The column that it is said of, where it is said of one.")
    match: SearchMatch = plain("How it fits.")


@object_type
class SearchHit:
    """What fits a text."""

    id: strawberry.ID = plain("Its node id; of a pipeline, which is no node, `pipeline:NAME`.")
    kind: SearchKind = plain("What it is.")
    namespace: str = plain("Where it is; of a pipeline the namespace of the job that its runs are.")
    name: str = plain("Its name there.")
    match: SearchMatch = plain("How it fits.")
    found_in: list[SearchFoundIn] = plain(
        "The texts that fit, the best first, five at most. The first decides about its place; where no one text has "
        "every word that is asked for, those that have them together. None where the text was its node id, or `*`."
    )
    dataset = resolved(_dataset, DatasetType | None)
    job = resolved(_job, JobType | None)
    pipeline = resolved(_pipeline, PipelineType | None)


def _complete(root: SearchPage) -> bool:
    """Whether these are all that fit."""
    return root.unfinished is None


def _incomplete_reason(root: SearchPage) -> str | None:
    """Why not; null where these are all."""
    return None if root.unfinished is None else root.unfinished.value


@object_type
class SearchHits:
    """A page of what fits a text, the best first."""

    edges: list[Edge[SearchHit]] = plain("The hits with their cursors.")
    nodes: list[SearchHit] = plain("The hits alone.")
    page_info: PageInfo = plain("Where the page stands.")
    total_count: Long = plain("How many were found.")
    complete = resolved(_complete, bool)
    reason = resolved(_incomplete_reason, SearchIncompleteReason | None)
    position: Long = plain("Ledger position that the page was computed at.")
