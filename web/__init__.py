"""The outside: HTTP, GraphQL, command line, access, supervision, and the one composition root (`bootstrap`).

May import every other room.
"""
