"""The statements of retention, by name."""

from pathlib import Path

from catalog.queries import load_queries

QUERIES = load_queries(Path(__file__).with_name("retention.sql"))
