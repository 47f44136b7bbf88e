"""The schema; `python -m web.graphql.schema` prints it, and `docs/schema.graphql` is what it printed."""

import sys

import strawberry

from web.graphql.mutation import Mutation
from web.graphql.query import Query
from web.graphql.scalars import CONFIG
from web.graphql.subscription import Subscription

SCHEMA = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription, config=CONFIG)

#: The same schema as graphql-core has it.
GRAPHQL_SCHEMA = SCHEMA._schema  # noqa: SLF001 - strawberry has no public name for what it builds


def printed_schema() -> str:
    """Return the schema in GraphQL's own language."""
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    sys.stdout.write(printed_schema())
