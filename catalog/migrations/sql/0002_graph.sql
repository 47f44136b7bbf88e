-- The graph: a view of the observations, in generations ---------------------------------------------------------
-- Readers use the one current generation; a rebuild fills another and then changes the states in one transaction.
CREATE TABLE graph_generation (
    number     integer     NOT NULL PRIMARY KEY,
    state      text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT graph_generation_state CHECK (state IN ('building', 'current', 'retired'))
);
CREATE UNIQUE INDEX graph_generation_current ON graph_generation (state) WHERE state = 'current';
INSERT INTO graph_generation (number, state) VALUES (1, 'current');

CREATE TABLE graph_node (
    id         bigint  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation integer NOT NULL,
    -- Made of kind, namespace and name, which may be too long for a B-tree; the same as in `dataset` and `job`.
    key        uuid    NOT NULL,
    kind       text    NOT NULL,
    namespace  text    NOT NULL,
    name       text    NOT NULL,
    CONSTRAINT graph_node_key UNIQUE (generation, key)
);

-- Kinds: 1 consumes, 2 produces, 3 feeds, 4 parent, 5 alias. An alias stands in both directions.
CREATE TABLE graph_edge (
    -- The node that it was observed of; a job's shapes decide about all edges that the job owns.
    owner       bigint      NOT NULL,
    kind        smallint    NOT NULL,
    -- Vertices: the id of a node in the low 43 bits, the number of a hidden step of it above them.
    origin      bigint      NOT NULL,
    destination bigint      NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz,
    -- Of an alias; empty for every other kind.
    type        text        NOT NULL,
    -- Of the observation, for aliases and parents; 0 for the edges of shapes, whose points have it.
    sequence    bigint      NOT NULL,
    CONSTRAINT graph_edge_interval CHECK (valid_from < valid_to)
);
-- Walks read nothing but these two.
CREATE UNIQUE INDEX graph_edge_downstream ON graph_edge (origin, destination, kind, owner) WHERE valid_to IS NULL;
CREATE INDEX graph_edge_upstream ON graph_edge (destination, origin, kind) WHERE valid_to IS NULL;
CREATE INDEX graph_edge_owner ON graph_edge (owner, valid_to);

-- Every point of every job's history; without a shape it is a withdrawal, kept so that a repetition stays harmless.
CREATE TABLE graph_shape (
    job      bigint      NOT NULL,
    at       timestamptz NOT NULL,
    tiebreak uuid        NOT NULL,
    sequence bigint      NOT NULL,
    shape    bytea,
    PRIMARY KEY (job, at, tiebreak)
);
