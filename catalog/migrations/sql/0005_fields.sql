-- Fields of datasets as nodes of the graph: `namespace` and `name` are the dataset's, whose row `dataset` is.
ALTER TABLE graph_node ADD COLUMN dataset bigint, ADD COLUMN field text;
-- Who crosses from one name of a dataset to another looks for the field of the same name, which may be too long.
CREATE INDEX graph_node_field ON graph_node (dataset, left(field, 256)) WHERE dataset IS NOT NULL;
COMMENT ON COLUMN graph_edge.kind IS
    '1 consumes, 2 produces, 3 feeds, 4 parent, 5 alias, 6 derives (between fields), 7 columns (job to dataset)';
COMMENT ON COLUMN graph_edge.type IS
    'of an alias its type, of a derivation its transformations as JSON, empty for every other kind';
