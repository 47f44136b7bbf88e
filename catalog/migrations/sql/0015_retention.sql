-- Retention ----------------------------------------------------------------------------------------------------
-- Up to where the bodies of events have been given up, each time by a fact; written by the state follower.
CREATE TABLE events_removed (
    -- That of the fact.
    position        bigint      NOT NULL PRIMARY KEY,
    until           bigint      NOT NULL,
    received_before timestamptz NOT NULL,
    -- The digest of the checkpoint that stands for the bodies.
    checkpoint      text        NOT NULL,
    at              timestamptz NOT NULL,
    actor           text        NOT NULL
);

-- The state that the facts up to a position make: whoever follows the ledger again begins here. Rows as COPY text, gzip.
CREATE TABLE checkpoint (
    until    bigint      NOT NULL PRIMARY KEY,
    digest   text        NOT NULL,
    manifest bytea       NOT NULL,
    made_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE checkpoint_part (
    until   bigint NOT NULL REFERENCES checkpoint ON DELETE CASCADE,
    name    text   NOT NULL,
    content bytea  NOT NULL,
    PRIMARY KEY (until, name)
);
ALTER TABLE checkpoint_part ALTER COLUMN content SET STORAGE EXTERNAL;

-- How far the bodies have been taken, and of how many events with how many stored bytes since the beginning.
CREATE TABLE removal (
    only_row boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    done_to  bigint  NOT NULL DEFAULT 0,
    events   bigint  NOT NULL DEFAULT 0,
    bytes    bigint  NOT NULL DEFAULT 0
);
INSERT INTO removal DEFAULT VALUES;
-- Events up to there that keep their bodies for the time being: of runs that go on, parked, applied late.
CREATE TABLE removal_waiting (position bigint NOT NULL PRIMARY KEY);
