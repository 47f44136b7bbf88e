"""Marquez's read API, answered from the queries of GraphQL: its routes, shapes and status codes.

Whoever reads Marquez (scripts, its client libraries) reads Headwater. `shapes` declares every answer, the modules
beside it fill them: one for each noun. What differs stands in `docs/marquez.md`. May import every room.

Source: `spec/openapi.yml` of Marquez 0.51 and the answers of its server.
"""
