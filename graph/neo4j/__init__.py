"""The graph in a Neo4j; needs the extra `headwater[neo4j]`, and is imported only where a Neo4j is named."""
