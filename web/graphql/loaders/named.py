"""Things that bear a namespace and a name, datasets and jobs: by identity, by names, by page."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from catalog.keys import DatasetKey, JobKey
from web.graphql.cohort import in_cohort
from web.graphql.pages import FIRST_UUID, Order, Page, check_first, page_of
from web.graphql.records import DatasetRecord, JobRecord
from web.graphql.request import QueryRequest

#: So much of a name its order knows, in characters; the name may be 8 KiB long, too long for an index.
ORDERED_CHARACTERS = 256

Named = TypeVar("Named", DatasetRecord, JobRecord)


@dataclass(frozen=True, slots=True)
class NamedThings(Generic[Named]):
    """How all things of one kind are read: `queries` has the statements `by_id`, `page` and `count`."""

    queries: Mapping[str, bytes]
    record: type[Named]
    key: type[DatasetKey] | type[JobKey]
    order: Order

    @classmethod
    def of(
        cls,
        list_name: str,
        queries: Mapping[str, bytes],
        record: type[Named],
        key: type[DatasetKey] | type[JobKey],
    ) -> "NamedThings[Named]":
        """Return the reader of a kind; `list_name` is what its cursors are marked with."""
        return cls(queries, record, key, Order(list_name, (str, str, uuid.UUID), ("", "", FIRST_UUID)))

    def by_id(self, request: QueryRequest, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Named]:
        """Return those among the ids that are stored, one cohort."""
        wanted = list(set(ids))
        if not wanted:
            return {}
        records = [self.record(*row) for row in request.rows(self.queries["by_id"], ids=wanted)]
        return {record.row_id: record for record in in_cohort(request, records)}

    def by_names(self, request: QueryRequest, names: Sequence[tuple[str, str]]) -> Named | None:
        """Return that of the first pair that is stored."""
        keys = [self.key(*pair).id for pair in names]
        found = self.by_id(request, keys)
        return next((found[key] for key in keys if key in found), None)

    def page(
        self,
        request: QueryRequest,
        *,
        first: int,
        after: str | None,
        namespace: str | None,
        search: str | None,
    ) -> Page[Named]:
        """Return those of the namespace whose names hold the text, by namespace and name."""
        check_first(first)
        after_namespace, after_name, after_id = self.order.decode(after)
        filters = {"namespace": namespace, "search": search}
        rows = request.rows(
            self.queries["page"],
            after_namespace=after_namespace,
            after_name=after_name,
            after_id=after_id,
            limit=first + 1,
            **filters,
        )
        return page_of(
            request,
            [self.record(*row) for row in rows],
            first=first,
            after=after,
            order=self.order,
            place_of=_place,
            count=lambda: int(request.rows(self.queries["count"], **filters)[0][0]),
        )

    def listed(
        self, request: QueryRequest, *, namespace: str | None, limit: int, offset: int
    ) -> Sequence[Named]:
        """Return so many of the namespace, or of all, in the order of pages, after as many as the offset says."""
        if namespace is None:
            rows = request.rows(self.queries["listed"], limit=limit, offset=offset)
        else:
            rows = request.rows(self.queries["listed_in"], namespace=namespace, limit=limit, offset=offset)
        return in_cohort(request, [self.record(*row) for row in rows])

    def counted(self, request: QueryRequest, namespace: str | None) -> int:
        """Return how many there are in the namespace, or at all."""
        if namespace is None:
            ((count,),) = request.rows(self.queries["count"], namespace=None, search=None)
        else:
            ((count,),) = request.rows(self.queries["count_in"], namespace=namespace)
        return int(count)


def _place(record: DatasetRecord | JobRecord) -> tuple[str, str, uuid.UUID]:
    return record.namespace[:ORDERED_CHARACTERS], record.name[:ORDERED_CHARACTERS], record.row_id
