"""Adapters that start an attempt on an engine and can ask how it stands; one module per engine."""
