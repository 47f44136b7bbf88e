"""What a search finds."""

from enum import Enum

import strawberry

from web.graphql.connections import Edge, PageInfo
from web.graphql.records import DatasetRecord, JobRecord
from web.graphql.scalars import Long
from web.graphql.types.declaring import enum_type, input_type, object_type, plain, resolved, word
from web.graphql.types.references import DatasetType, JobType
from web.search.hits import Hit
from web.search.words import Match


@enum_type
class SearchKind(Enum):
    """What can be found."""

    DATASET = "dataset"
    JOB = "job"


@enum_type
class SearchMatch(Enum):
    """How what was found fits the text, the best first."""

    EXACT = word(Match.EXACT.value, "It is called so, in whatever case, or the text is its node id.")
    PREFIX = word(
        Match.PREFIX.value, "Its name begins so, or each word that is asked for begins a word of its name."
    )
    FUZZY = word(
        Match.FUZZY.value, "Some word that is asked for stands within a word, or has one typing error."
    )


@input_type
class SearchFilter:
    """What may be found."""

    kinds: list[SearchKind] | None = strawberry.field(default=None, description="Only of these kinds.")
    namespace: str | None = strawberry.field(default=None, description="Only of this namespace.")


def _dataset(root: Hit) -> DatasetRecord | None:
    """The dataset; null for a job."""
    return root.record if isinstance(root.record, DatasetRecord) else None


def _job(root: Hit) -> JobRecord | None:
    """The job; null for a dataset."""
    return root.record if isinstance(root.record, JobRecord) else None


@object_type
class SearchHit:
    """A dataset or a job that fits a text."""

    id: strawberry.ID = plain("Its node id.")
    kind: SearchKind = plain("Whether it is a dataset or a job.")
    namespace: str = plain("Where it is.")
    name: str = plain("Its name there.")
    match: SearchMatch = plain("How it fits.")
    dataset = resolved(_dataset, DatasetType | None)
    job = resolved(_job, JobType | None)


@object_type
class SearchHits:
    """A page of what fits a text, the best first."""

    edges: list[Edge[SearchHit]] = plain("The hits with their cursors.")
    nodes: list[SearchHit] = plain("The hits alone.")
    page_info: PageInfo = plain("Where the page stands.")
    total_count: Long = plain("How many were found.")
    complete: bool = plain("False where so much may fit that not all of it was judged: ask for more words.")
    position: Long = plain("Ledger position that the page was computed at.")
