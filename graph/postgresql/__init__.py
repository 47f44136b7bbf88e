"""The graph in PostgreSQL tables: the embedded default. The only place of `graph` that knows the database."""
