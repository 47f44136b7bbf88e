"""Declared things under version control: YAML or JSON with `apiVersion`, `kind`, `metadata` and `spec`."""
