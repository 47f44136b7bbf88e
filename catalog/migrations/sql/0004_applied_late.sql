-- Parked records that were applied again with success, and where the follower's cursor stood then: a replay of the log
-- applies them there, and so comes to the same state.
CREATE TABLE applied_late (
    number   bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    follower text        NOT NULL,
    position bigint      NOT NULL,
    after    bigint      NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
