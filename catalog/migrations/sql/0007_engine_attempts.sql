-- Attempts that an outside engine runs, written by the jobs that ask it. An attempt without a row runs on a host.
CREATE TABLE engine_attempt (
    run_id        uuid        NOT NULL,
    attempt       integer     NOT NULL,
    launcher      text        NOT NULL,
    phase         text        NOT NULL,
    -- Counts the beginnings and ends of steps: whoever comes for an epoch that has passed does nothing.
    epoch         bigint      NOT NULL DEFAULT 0,
    -- While a worker is at it, until when it is left to that worker; past that, another takes over.
    busy_until    timestamptz,
    deadline      timestamptz NOT NULL,
    stop_outcome  text,
    stop_reason   text,
    -- What the engine is asked by: JSON, gone when the attempt has ended.
    handle        text,
    origin        text        NOT NULL DEFAULT '',
    accepted_at   timestamptz,
    -- The engine may have heard of it although nobody saw its answer.
    doubtful      boolean     NOT NULL DEFAULT false,
    failing_since timestamptz,
    gone_since    timestamptz,
    failures      integer     NOT NULL DEFAULT 0,
    trouble       text        NOT NULL DEFAULT '',
    -- The beginning of the engine's last answer, without the secrets that were sent.
    told          text        NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, attempt)
);
