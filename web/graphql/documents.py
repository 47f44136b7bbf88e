"""Queries as graphql-core reads them: parsed, validated, and kept, because clients send the same texts again."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    StringValueNode,
    ValueNode,
    Visitor,
    parse,
    validate,
    visit,
)

from catalog.errors import InvalidInput, QueryTooExpensive
from web.graphql.limits import MAX_TOKENS, check_form, check_text
from web.graphql.reading_own_writes import ARGUMENT
from web.graphql.schema import GRAPHQL_SCHEMA

#: Texts that are kept, and the longest of them, in characters.
REMEMBERED_TEXTS = 256
REMEMBERED_CHARACTERS = 20_000

#: Fields whose answers come from the graph.
GRAPH_FIELDS = frozenset({"lineage", "impact", "producers", "consumers", "graphPosition"})


class RefusedError(Exception):
    """The text is no query of this schema; `errors` say why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A valid document."""

    document: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    asks_graph: bool
    #: Values of `minPosition`.
    positions: tuple[ValueNode, ...]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation of the name, or the only one; raise `RefusedError`."""
        if name is None and len(self.operations) == 1:
            return self.operations[0]
        found = [node for node in self.operations if name and node.name and node.name.value == name]
        if not found:
            raise RefusedError(
                [GraphQLError(f"expected `operationName` to name one operation, found {name!r:.200}")]
            )
        return found[0]


class _Seen(Visitor):
    """Collects what has to be known of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.holds_nul = False
        self.positions: list[ValueNode] = []

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        if node.name.value == ARGUMENT:
            self.positions.append(node.value)

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.names.add(node.name.value)

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        self.holds_nul = self.holds_nul or "\0" in node.value


def read_document(text: str) -> ReadDocument:
    """Return the document of a text; raise `RefusedError`, `QueryTooExpensive` or `InvalidInput`."""
    check_text(text)
    try:
        document = parse(text, no_location=False, max_tokens=MAX_TOKENS)
        # Repetitions and nesting are bounded before validation, whose own work grows with them.
        check_form(document)
        errors = validate(GRAPHQL_SCHEMA, document)
    except GraphQLError as error:
        raise RefusedError([error]) from error
    except RecursionError as error:
        raise QueryTooExpensive("expected a query that nests less deeply") from error
    if errors:
        raise RefusedError(errors)
    seen = _Seen()
    visit(document, seen)
    if seen.holds_nul:
        raise InvalidInput("expected text without NUL characters")
    operations = tuple(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    asks_graph = not GRAPH_FIELDS.isdisjoint(seen.names)
    return ReadDocument(document, operations, asks_graph, tuple(seen.positions))


class DocumentMemory:
    """The documents of the texts that were read last."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, ReadDocument] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, text: str) -> ReadDocument | None:
        """Return the document of the text if it was read before."""
        with self._lock:
            found = self._documents.get(text)
            if found is not None:
                self._documents.move_to_end(text)
            return found

    def read(self, text: str) -> ReadDocument:
        """Return the document of the text; raise as `read_document`."""
        found = self.known(text) or read_document(text)
        if len(text) <= REMEMBERED_CHARACTERS:
            with self._lock:
                self._documents[text] = found
                while len(self._documents) > REMEMBERED_TEXTS:
                    self._documents.popitem(last=False)
        return found
