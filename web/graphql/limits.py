"""What one query may cost, counted before anything of it is carried out.

Cost is counted in fields to resolve: what stands below a list counts as often as its arguments allow (`first`,
`maxNodes`), and ten times where no argument bounds it. Fragments count wherever they are spread but are computed once,
so that a bomb of nested fragments is refused as quickly as it is read.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    visit,
)

from catalog.errors import QueryTooExpensive

#: Longest text of a query, in characters, and most tokens in it.
MAX_CHARACTERS = 200_000
MAX_TOKENS = 10_000
#: Most aliases in a query, and most repetitions of one field in one selection.
MAX_ALIASES = 200
MAX_REPETITIONS = 100
#: Introspection nests deeper than any other question.
INTROSPECTION_DEPTH = 20

#: How long a list is taken to be that no argument bounds.
USUAL_LENGTH = 10
#: Arguments that say how long the lists below a field may get.
SIZE_ARGUMENTS = ("first", "maxNodes")
#: A leaf of a list costs this part of a field.
LEAF_SHARE = 100
#: Fields that cost more than to read a value, in fields.
PRICES: Mapping[tuple[str, str], int] = {
    ("Dataset", "producers"): 10,
    ("Dataset", "consumers"): 10,
    ("Run", "facets"): 20,
    ("Run", "tags"): 20,
    ("RunDataset", "facets"): 20,
    ("Pipeline", "warnings"): 50,
    ("Pipeline", "condition"): 20,
    ("Impact", "pipelines"): 500,
    ("ImpactNode", "path"): 2,
    ("PipelineRun", "logs"): 1_000,
    ("PipelineRun", "causes"): 100,
}


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Bounds that the operator sets."""

    max_depth: int
    max_complexity: int


def check_text(query: str) -> None:
    """Raise `QueryTooExpensive` for a text that is too long to be read."""
    if len(query) > MAX_CHARACTERS:
        raise QueryTooExpensive(
            f"expected a query of at most {MAX_CHARACTERS} characters, found {len(query)}"
        )


class _Form(Visitor):
    """Counts what validation would compare pair by pair."""

    def __init__(self) -> None:
        super().__init__()
        self._aliases = 0

    def enter_selection_set(self, node: SelectionSetNode, *_: object) -> None:
        """Raise `QueryTooExpensive` for a selection that says the same thing too often."""
        counts: Counter[str] = Counter()
        for selection in node.selections:
            if isinstance(selection, InlineFragmentNode):
                counts["an inline fragment"] += 1
            elif isinstance(selection, (FieldNode, FragmentSpreadNode)):
                counts[selection.name.value] += 1
        for name, count in counts.items():
            if count > MAX_REPETITIONS:
                raise QueryTooExpensive(
                    f"expected {name} at most {MAX_REPETITIONS} times in one selection, found it {count} times"
                )

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """Raise `QueryTooExpensive` for one alias too many."""
        self._aliases += node.alias is not None
        if self._aliases > MAX_ALIASES:
            raise QueryTooExpensive(f"expected at most {MAX_ALIASES} aliases in a query, found more")


def check_form(document: DocumentNode) -> None:
    """Raise `QueryTooExpensive` for a document whose validation would cost too much."""
    visit(document, _Form())


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a selection costs, and how deep it nests."""

    fields: int = 0
    depth: int = 0


class QueryCost:
    """Counts what the operations of one document cost."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[tuple[str, str, int | None], _Cost] = {}
        self._open: set[str] = set()
        self._variables: Mapping[str, Any] = {}

    def check(
        self, operation: OperationDefinitionNode, variables: Mapping[str, Any], limits: QueryLimits
    ) -> None:
        """Raise `QueryTooExpensive` where the operation costs more than the limits allow."""
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            return
        defaults = {
            definition.variable.name.value: int(definition.default_value.value)
            for definition in operation.variable_definitions or ()
            if isinstance(definition.default_value, IntValueNode)
        }
        self._known.clear()
        self._variables = {**defaults, **variables}
        cost = self._selections(operation.selection_set, root, None)
        if cost.depth > limits.max_depth:
            raise QueryTooExpensive(
                f"expected a query at most {limits.max_depth} levels deep, found {cost.depth}",
                limit=limits.max_depth,
                found=cost.depth,
            )
        if cost.fields > limits.max_complexity:
            raise QueryTooExpensive(
                f"expected a query that resolves at most {limits.max_complexity} fields, found up to {cost.fields}:"
                " ask for fewer fields or smaller pages (`first`, `maxNodes`)",
                limit=limits.max_complexity,
                found=min(cost.fields, 2**53),
            )

    def _selections(
        self,
        selection_set: SelectionSetNode | None,
        parent: GraphQLObjectType | GraphQLInterfaceType,
        length: int | None,
    ) -> _Cost:
        fields = depth = 0
        for selection in () if selection_set is None else selection_set.selections:
            if isinstance(selection, FieldNode):
                cost = self._field(selection, parent, length)
            elif isinstance(selection, InlineFragmentNode):
                cost = self._selections(selection.selection_set, parent, length)
            elif isinstance(selection, FragmentSpreadNode):
                cost = self._fragment(selection.name.value, parent, length)
            else:
                continue
            fields += cost.fields
            depth = max(depth, cost.depth)
        return _Cost(fields, depth)

    def _fragment(
        self, name: str, parent: GraphQLObjectType | GraphQLInterfaceType, length: int | None
    ) -> _Cost:
        fragment = self._fragments.get(name)
        if fragment is None or name in self._open:
            # Unknown fragments and circles of them are refused by validation, in its words.
            return _Cost()
        key = (name, parent.name, length)
        if key not in self._known:
            self._open.add(name)
            self._known[key] = self._selections(fragment.selection_set, parent, length)
            self._open.discard(name)
        return self._known[key]

    def _field(
        self, node: FieldNode, parent: GraphQLObjectType | GraphQLInterfaceType, length: int | None
    ) -> _Cost:
        field = self._schema.get_field(parent, node.name.value)
        if field is None:
            return _Cost(1, 1)
        named = get_named_type(field.type)
        asked = self._size(node, field)
        listed = is_list_type(field.type.of_type if is_non_null_type(field.type) else field.type)
        times = (length or asked or USUAL_LENGTH) if listed else 1
        own = PRICES.get((parent.name, node.name.value), 1)
        if is_leaf_type(named):
            return _Cost(own + times // LEAF_SHARE, 1)
        if not isinstance(named, (GraphQLObjectType, GraphQLInterfaceType)):
            raise GraphQLError(f"expected fields of object types, found {named}", node)
        below = self._selections(node.selection_set, named, None if listed else asked)
        if node.name.value in {"__schema", "__type"}:
            # How deep introspection nests says nothing of what it costs; its own bound is refused as any other.
            deepest = 0 if below.depth < INTROSPECTION_DEPTH else below.depth
            return _Cost(own, deepest + 1)
        return _Cost(own + times * (1 + below.fields) if listed else own + below.fields, below.depth + 1)

    def _size(self, node: FieldNode, field: GraphQLField) -> int | None:
        """Return how long lists below the field may get, by its arguments; None where no argument says so."""
        name = next((name for name in SIZE_ARGUMENTS if name in field.args), None)
        if name is None:
            return None
        given = next(
            (argument.value for argument in node.arguments or () if argument.name.value == name), None
        )
        if given is None:
            value = field.args[name].default_value
        elif isinstance(given, IntValueNode):
            value = int(given.value)
        elif isinstance(given, VariableNode):
            value = self._variables.get(given.name.value, field.args[name].default_value)
        else:
            value = None
        # What is no number is refused by validation, in its words.
        return max(value, 0) if type(value) is int else USUAL_LENGTH
