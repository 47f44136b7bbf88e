-- The level that every process logs at for a while; no row, or one that has ended: each process by its own setting.
CREATE TABLE log_level (
    only_row boolean     NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    level    text        NOT NULL,
    actor    text        NOT NULL,
    set_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at  timestamptz NOT NULL
);

-- A row while all pipelines are paused at once. Written by the state follower, read by it and by launches.
CREATE TABLE pause_of_all (
    only_row boolean     NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    position bigint      NOT NULL,
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    reason   text        NOT NULL
);

-- Records that were parked and that somebody decided to leave out; written by the state follower.
CREATE TABLE skipped (
    follower    text        NOT NULL,
    position    bigint      NOT NULL,
    run_id      uuid,
    error_code  text        NOT NULL,
    error       text        NOT NULL,
    attempts    integer     NOT NULL,
    parked_at   timestamptz NOT NULL,
    -- The fact by which it was left out, and what it says.
    skipped_by  bigint      NOT NULL,
    skipped_at  timestamptz NOT NULL,
    actor       text        NOT NULL,
    reason      text        NOT NULL,
    PRIMARY KEY (follower, position)
);
