"""A whole installation in one file: written from one snapshot while it runs, read back into an empty database.

Form (docs/decisions/0010): a tar file whose members any tool can open. `headwater-backup.json` says what it is; the
rows of each table stand as `tables/NAME/00000.copy.gz`, …, in PostgreSQL's COPY text form; `manifest.json` comes last,
with counts and digests of everything, so that a file that was cut short has none. Imports nothing but `catalog`.
"""
