-- The ledger -------------------------------------------------------------------------------------------------
-- Positions are drawn while the append lock is held, so that position order is commit order.
CREATE SEQUENCE fact_position CACHE 1;

CREATE TABLE fact (
    position    bigint      NOT NULL PRIMARY KEY,
    kind        text        NOT NULL,
    received_at timestamptz NOT NULL,
    event_time  timestamptz,
    actor       text        NOT NULL,
    run_id      uuid,
    digest      bytea       NOT NULL,
    redactions  text[]      NOT NULL DEFAULT '{}',
    -- zlib by the program: the server's own compression is what costs (DESIGN, section 2).
    body        bytea       NOT NULL
) PARTITION BY RANGE (position);
ALTER TABLE fact ALTER COLUMN body SET STORAGE EXTERNAL;
-- Further partitions are made by the append itself.
CREATE TABLE fact_000000 PARTITION OF fact FOR VALUES FROM (0) TO (5000000);
CREATE INDEX fact_run_id ON fact (run_id, position) WHERE run_id IS NOT NULL;

CREATE TABLE fact_digest (
    digest   bytea  NOT NULL PRIMARY KEY,
    position bigint NOT NULL
);

-- One call appends, so that the lock is held for no round trip but that of the commit. Every statement in it sees what
-- was committed before it began, hence the insert sees all that came before the lock was granted.
CREATE FUNCTION append_facts(
    lock_key bigint, kinds text[], event_times timestamptz[], actors text[], run_ids uuid[], digests bytea[],
    redactions text[], bodies bytea[]
) RETURNS TABLE (appended_digest bytea, appended_position bigint, fresh boolean) LANGUAGE plpgsql AS $$
DECLARE
    appended integer;
    partition_number bigint;
BEGIN
    -- Whoever holds the lock longer than this is in trouble; the caller says so and is asked again.
    PERFORM set_config('lock_timeout', '5s', true);
    PERFORM pg_advisory_xact_lock(lock_key);
    PERFORM set_config('lock_timeout', '0', true);
    -- The partition of the coming positions, made in time and by one alone: the lock is held.
    SELECT (last_value + cardinality(digests) + 1) / 5000000 INTO partition_number FROM fact_position;
    IF to_regclass('fact_' || lpad(partition_number::text, 6, '0')) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF fact FOR VALUES FROM (%s) TO (%s)',
                       'fact_' || lpad(partition_number::text, 6, '0'),
                       partition_number * 5000000, (partition_number + 1) * 5000000);
    END IF;
    RETURN QUERY
    WITH incoming AS (
        SELECT * FROM unnest(kinds, event_times, actors, run_ids, digests, redactions, bodies) WITH ORDINALITY
            AS i (kind, event_time, actor, run_id, digest, redacted, body, ordinal)
    ), added AS (
        INSERT INTO fact_digest AS d (digest, position)
        SELECT i.digest, nextval('fact_position') FROM incoming i ORDER BY i.ordinal
        ON CONFLICT ON CONSTRAINT fact_digest_pkey DO NOTHING
        RETURNING d.digest, d.position
    ), inserted AS (
        INSERT INTO fact (position, kind, received_at, event_time, actor, run_id, digest, redactions, body)
        SELECT a.position, i.kind, clock_timestamp(), i.event_time, i.actor, i.run_id, i.digest,
               CASE WHEN i.redacted = '' THEN '{}' ELSE string_to_array(i.redacted, E'\n') END, i.body
        FROM added a JOIN incoming i USING (digest) ORDER BY a.position
    )
    SELECT a.digest, a.position, true FROM added a;
    GET DIAGNOSTICS appended = ROW_COUNT;
    IF appended > 0 THEN
        PERFORM pg_notify('headwater_facts', '');
    END IF;
    IF appended < cardinality(digests) THEN
        RETURN QUERY
        SELECT d.digest, d.position, false FROM fact_digest d WHERE d.digest = ANY (digests);
    END IF;
END
$$;

-- Part of every run's identity, so that two installations that report to one place do not meet.
CREATE TABLE installation (id uuid NOT NULL PRIMARY KEY);
INSERT INTO installation VALUES (gen_random_uuid());

-- Followers --------------------------------------------------------------------------------------------------
CREATE TABLE follower (
    name       text        NOT NULL PRIMARY KEY,
    position   bigint      NOT NULL DEFAULT 0,
    at         timestamptz,
    processed  bigint      NOT NULL DEFAULT 0,
    holder     text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO follower (name) VALUES ('state'), ('graph');

CREATE TABLE parked (
    follower   text        NOT NULL,
    position   bigint      NOT NULL,
    run_id     uuid,
    error_code text        NOT NULL,
    error      text        NOT NULL,
    attempts   integer     NOT NULL DEFAULT 1,
    parked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (follower, position)
);

-- What we were told, merged ----------------------------------------------------------------------------------
CREATE TABLE observation (
    sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position bigint NOT NULL,
    kind     text   NOT NULL,
    body     bytea  NOT NULL
);

-- The ids of datasets and jobs are name-based: a name may be 8 KiB long and does not fit a B-tree.
CREATE TABLE dataset (
    id            uuid        NOT NULL PRIMARY KEY,
    namespace     text        NOT NULL,
    name          text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    position      bigint      NOT NULL
);

-- Lists go by name; a name may be too long for a B-tree, so its beginning stands for it.
CREATE INDEX dataset_listed ON dataset (left(namespace, 256), left(name, 256), id);

CREATE TABLE job (
    id            uuid        NOT NULL PRIMARY KEY,
    namespace     text        NOT NULL,
    name          text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    position      bigint      NOT NULL,
    -- The latest point of `job_shape`, kept here so that the usual event needs one comparison.
    shape_at       timestamptz,
    shape_tiebreak uuid,
    shape_hash     bytea
);

CREATE INDEX job_listed ON job (left(namespace, 256), left(name, 256), id);

CREATE TABLE job_parent (
    job_id    uuid        NOT NULL,
    parent_id uuid        NOT NULL,
    since     timestamptz NOT NULL,
    PRIMARY KEY (job_id, parent_id)
);
CREATE INDEX job_parent_parent_id ON job_parent (parent_id);

CREATE TABLE shape (
    hash bytea NOT NULL PRIMARY KEY,
    body bytea NOT NULL
);

-- One point for each completed run or JobEvent that told a job's lineage.
CREATE TABLE job_shape (
    job_id   uuid        NOT NULL,
    at       timestamptz NOT NULL,
    tiebreak uuid        NOT NULL,
    hash     bytea       NOT NULL,
    PRIMARY KEY (job_id, at, tiebreak)
);

CREATE TABLE dataset_alias (
    dataset_id uuid        NOT NULL,
    alias_id   uuid        NOT NULL,
    type       text        NOT NULL,
    since      timestamptz NOT NULL,
    PRIMARY KEY (dataset_id, alias_id)
);

-- Only datasets that have aliases stand here; the class is named by its smallest member.
CREATE TABLE dataset_class (
    dataset_id uuid NOT NULL PRIMARY KEY,
    class_id   uuid NOT NULL
);
CREATE INDEX dataset_class_class_id ON dataset_class (class_id);

CREATE TABLE run (
    id            uuid        NOT NULL PRIMARY KEY,
    job_id        uuid        NOT NULL,
    state         text        NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    parent_run_id uuid,
    root_run_id   uuid        NOT NULL,
    -- Receipt of the event that ended the run: an end told from the future counts as no later than this.
    bounded_at    timestamptz,
    merged        bytea       NOT NULL,
    position      bigint      NOT NULL
);
CREATE INDEX run_job_id ON run (job_id, started_at);
CREATE INDEX run_parent_run_id ON run (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX run_root_run_id ON run (root_run_id) WHERE root_run_id <> id;

CREATE TABLE dataset_schema (
    hash   text  NOT NULL PRIMARY KEY,
    fields bytea NOT NULL
);

CREATE TABLE dataset_version (
    id          uuid        NOT NULL PRIMARY KEY,
    dataset_id  uuid        NOT NULL,
    state       text        NOT NULL,
    origin      text        NOT NULL,
    -- The event's time, but never later than its receipt.
    time        timestamptz NOT NULL,
    event_time  timestamptz NOT NULL,
    run_id      uuid,
    partition   text,
    version     text,
    lifecycle   text,
    schema_hash text,
    row_count   bigint,
    byte_count  bigint,
    digest      text,
    position    bigint      NOT NULL
);
CREATE INDEX dataset_version_dataset_id ON dataset_version (dataset_id, time DESC, id DESC);
CREATE INDEX dataset_version_run_id ON dataset_version (run_id) WHERE run_id IS NOT NULL;

-- Runs that told of a version by the producer's own name for it; the first that succeeded made it.
CREATE TABLE version_maker (
    version_id uuid NOT NULL,
    run_id     uuid NOT NULL,
    PRIMARY KEY (version_id, run_id)
);

CREATE TABLE version_event (
    sequence    bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position    bigint      NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    version_id  uuid        NOT NULL,
    -- The dataset and every alias known at this position: what a condition may name it by.
    dataset_ids uuid[]      NOT NULL,
    -- The runs that made it, nearest first (the run, its parents, its root): the causal chain is found by them.
    run_ids     uuid[]      NOT NULL
);
CREATE INDEX version_event_version_id ON version_event (version_id);

-- Documents --------------------------------------------------------------------------------------------------
CREATE TABLE document (
    kind     text        NOT NULL,
    name     text        NOT NULL,
    version  integer     NOT NULL,
    digest   text        NOT NULL,
    body     jsonb       NOT NULL,
    deleted  boolean     NOT NULL DEFAULT false,
    position bigint      NOT NULL,
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE command_result (
    position bigint  NOT NULL PRIMARY KEY,
    accepted boolean NOT NULL,
    code     text,
    message  text,
    result   jsonb   NOT NULL
);

-- Pipelines --------------------------------------------------------------------------------------------------
CREATE TABLE pipeline (
    name             text    NOT NULL PRIMARY KEY,
    document_version integer NOT NULL,
    state            text    NOT NULL,
    position         bigint  NOT NULL,
    next_number      bigint  NOT NULL DEFAULT 1
);

CREATE TABLE input_queue (
    pipeline   text        NOT NULL,
    input_id   uuid        NOT NULL,
    sequence   bigint      NOT NULL,
    version_id uuid        NOT NULL,
    at         timestamptz NOT NULL,
    depth      integer     NOT NULL,
    PRIMARY KEY (pipeline, input_id, sequence),
    UNIQUE (pipeline, input_id, version_id)
);

CREATE TABLE pipeline_run (
    id               uuid        NOT NULL PRIMARY KEY,
    pipeline         text        NOT NULL,
    number           bigint      NOT NULL,
    document_version integer     NOT NULL,
    state            text        NOT NULL,
    cause            text        NOT NULL,
    actor            text        NOT NULL,
    causal_depth     integer     NOT NULL,
    -- A `latest` batch absorbs versions until the transaction that grants its slot closes it.
    batch_open       boolean     NOT NULL,
    attempt          integer     NOT NULL DEFAULT 0,
    -- Attempts that may still be made after a failure; an operator's retry adds one.
    attempts_left    integer     NOT NULL,
    due_position     bigint      NOT NULL,
    due_at           timestamptz NOT NULL,
    started_at       timestamptz,
    ended_at         timestamptz,
    exit_code        integer,
    reason           text        NOT NULL,
    cancel_requested boolean     NOT NULL DEFAULT false,
    UNIQUE (pipeline, number)
);
CREATE INDEX pipeline_run_holds_slot ON pipeline_run (pipeline, number)
    WHERE state IN ('queued', 'launching', 'running', 'retrying');
CREATE INDEX pipeline_run_waits ON pipeline_run (pipeline, number) WHERE state IN ('pending', 'held');
CREATE INDEX pipeline_run_due_position ON pipeline_run (due_position DESC, id);

-- Law 4: a version is consumed by an input of a pipeline at most once.
CREATE TABLE consumption (
    pipeline   text   NOT NULL,
    input_id   uuid   NOT NULL,
    version_id uuid   NOT NULL,
    run_id     uuid   NOT NULL,
    sequence   bigint NOT NULL,
    UNIQUE (pipeline, input_id, version_id)
);
CREATE INDEX consumption_run_id ON consumption (run_id);
CREATE INDEX consumption_version_id ON consumption (version_id);

CREATE TABLE pipeline_run_transition (
    run_id     uuid        NOT NULL,
    sequence   bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    from_state text,
    to_state   text        NOT NULL,
    attempt    integer     NOT NULL,
    at         timestamptz NOT NULL,
    position   bigint      NOT NULL,
    actor      text        NOT NULL,
    reason     text        NOT NULL,
    PRIMARY KEY (run_id, sequence)
);

CREATE TABLE decision (
    id       uuid        NOT NULL PRIMARY KEY,
    pipeline text        NOT NULL,
    run_id   uuid,
    verdict  text        NOT NULL,
    reason   text        NOT NULL,
    rules    jsonb       NOT NULL,
    inputs   jsonb       NOT NULL,
    position bigint      NOT NULL,
    at       timestamptz NOT NULL
);
CREATE INDEX decision_pipeline ON decision (pipeline, position DESC);
CREATE INDEX decision_run_id ON decision (run_id) WHERE run_id IS NOT NULL;

-- Written by launch jobs, not by the state follower: binds an attempt to the one host that may start or ask it.
CREATE TABLE attempt_claim (
    run_id     uuid        NOT NULL,
    attempt    integer     NOT NULL,
    -- Empty when a cancel came first: then no host may start it.
    host       text        NOT NULL,
    -- The boot of the host when it claimed: after a power loss nothing of the attempt can be left.
    boot       text        NOT NULL DEFAULT '',
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, attempt)
);

CREATE TABLE host (
    id           text        NOT NULL PRIMARY KEY,
    name         text        NOT NULL,
    heartbeat_at timestamptz NOT NULL,
    -- Last heartbeat of a worker that takes launches; a host may have other workers beside it. Null: none ever did.
    launches_at  timestamptz
);

-- Access -----------------------------------------------------------------------------------------------------
CREATE TABLE token (
    name       text        NOT NULL PRIMARY KEY,
    role       text        NOT NULL,
    hash       bytea       NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);
