-- The names that datasets had before, as RENAME events tell; nothing merges.
CREATE TABLE dataset_rename (
    dataset_id  uuid        NOT NULL,
    previous_id uuid        NOT NULL,
    since       timestamptz NOT NULL,
    PRIMARY KEY (dataset_id, previous_id)
);
CREATE INDEX dataset_rename_previous_id ON dataset_rename (previous_id);
COMMENT ON COLUMN graph_edge.kind IS
    '1 consumes, 2 produces, 3 feeds, 4 parent, 5 alias, 6 derives (between fields), 7 columns (job to dataset), 8 renamed';
