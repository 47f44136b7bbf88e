-- Columns ------------------------------------------------------------------------------------------------------
-- Lineage of columns as facets told it, each once; merged runs refer to it by digest.
CREATE TABLE column_lineage (
    digest text  NOT NULL PRIMARY KEY,
    body   bytea NOT NULL
);

-- Facets -------------------------------------------------------------------------------------------------------
-- The bodies of facets of datasets and jobs, each once: canonical JSON.
CREATE TABLE facet_body (
    digest text  NOT NULL PRIMARY KEY,
    body   bytea NOT NULL
);

-- `facets` is {name: [place in `orders`, digest or null]}: who told it last (an event's order) and what; null is a
-- facet that was deleted. A row is written anew whenever an event tells of its facets, in the space left for that.
CREATE TABLE dataset_facet (
    dataset_id uuid   NOT NULL PRIMARY KEY,
    orders     text[] NOT NULL,
    facets     jsonb  NOT NULL
) WITH (fillfactor = 60);

CREATE TABLE job_facet (
    job_id uuid   NOT NULL PRIMARY KEY,
    orders text[] NOT NULL,
    facets jsonb  NOT NULL
) WITH (fillfactor = 60);
