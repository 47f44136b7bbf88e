"""What exists and what we were told: keys, OpenLineage, documents, the ledger, settings, errors.

Imports nothing of the other rooms; every other room may import it.
"""
