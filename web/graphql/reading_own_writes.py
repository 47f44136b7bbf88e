"""`minPosition`: every field of the query takes it, and the request waits for it before it reads anything."""

from typing import Any

from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from web.graphql.scalars import Long

#: As the schema spells it, and as Python does.
ARGUMENT = "minPosition"
_KEYWORD = "min_position"


class WaitsForPosition(FieldExtension):
    """Gives a field the argument; whoever runs the request has waited by the time the field is resolved."""

    def apply(self, field: StrawberryField) -> None:
        """Add the argument."""
        argument = StrawberryArgument(
            python_name=_KEYWORD,
            graphql_name=ARGUMENT,
            type_annotation=StrawberryAnnotation(Long | None),
            description="Wait until the answer knows everything up to this ledger position: read your writes.",
            default=None,
        )
        field.arguments = [*field.arguments, argument]

    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Leave the argument out: the reader behind the field does not know it."""
        return {name: value for name, value in kwargs.items() if name != _KEYWORD}
