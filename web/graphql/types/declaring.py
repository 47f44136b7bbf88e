"""How types and fields are declared: what people read in the schema is the docstring."""

import inspect
from collections.abc import Callable
from enum import EnumMeta
from typing import Any, TypeVar

import strawberry
from strawberry.extensions import FieldExtension

Declared = TypeVar("Declared", bound=type)
DeclaredEnum = TypeVar("DeclaredEnum", bound=EnumMeta)


def object_type(declared: Declared) -> Declared:
    """Make the class a type of the schema, described by its docstring."""
    return strawberry.type(declared, description=_description(declared))


def enum_type(declared: DeclaredEnum) -> DeclaredEnum:
    """Make the class an enum of the schema, described by its docstring."""
    return strawberry.enum(declared, description=_description(declared))


def word(value: str, meaning: str) -> Any:
    """Return a value of an enum with what it means."""
    return strawberry.enum_value(value, description=meaning)


def input_type(declared: Declared) -> Declared:
    """Make the class an input of the schema, described by its docstring."""
    return strawberry.input(declared, description=_description(declared))


def resolved(resolver: Callable[..., Any], graphql_type: Any) -> Any:
    """Return a field that the function answers, described by its docstring."""
    return strawberry.field(
        resolver=resolver,
        graphql_type=graphql_type,
        description=_description(resolver),
    )


def root_field(resolver: Callable[..., Any], graphql_type: Any, *extensions: type[FieldExtension]) -> Any:
    """Return a field where a question or a command begins, described by the function's docstring."""
    return strawberry.field(
        resolver=resolver,
        graphql_type=graphql_type,
        description=_description(resolver),
        extensions=[extension() for extension in extensions],
    )


def subscription_field(resolver: Callable[..., Any], graphql_type: Any) -> Any:
    """Return a field that can be followed, described by the function's docstring."""
    return strawberry.subscription(
        resolver=resolver,
        graphql_type=graphql_type,
        description=_description(resolver),
    )


def plain(description: str) -> Any:
    """Return a field that is an attribute of the record."""
    return strawberry.field(description=description)


def _description(declared: Any) -> str:
    if not declared.__doc__:
        raise TypeError(f"expected a docstring for people who read the schema, found none on {declared!r}")
    return inspect.cleandoc(declared.__doc__)
