-- The oldest revision whose release may still run on this schema. A revision that takes something away, or means
-- something else by it, says here from which release on that is known; one that only adds leaves it.
CREATE TABLE compatibility (
    only_row boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    oldest   text    NOT NULL
);
INSERT INTO compatibility (oldest) VALUES ('0002');

ALTER TABLE follower
    -- The newest form in which this follower ever wrote: a release that does not know it leaves the follower alone.
    ADD COLUMN form          integer NOT NULL DEFAULT 1,
    -- What a worker of an older release left where it stands, and why; null once somebody has gone on.
    ADD COLUMN left_position bigint,
    ADD COLUMN left_reason   text,
    ADD COLUMN left_at       timestamptz;
