"""The schema, a module for each noun.

A class here declares a type of GraphQL and is never instantiated: its source is the record of the same name, whose
attributes are the plain fields; every other field names the reader that answers it.
"""
