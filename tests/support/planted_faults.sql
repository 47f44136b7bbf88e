-- name: a_fact_is_gone
DELETE FROM fact WHERE position = 2

-- name: a_digest_is_gone
DELETE FROM fact_digest WHERE position = 2

-- name: a_fact_stands_twice
INSERT INTO fact (position, kind, received_at, event_time, actor, run_id, digest, redactions, body)
SELECT 4999999, kind, received_at, event_time, actor, run_id, digest, redactions, body FROM fact WHERE position = 2

-- name: a_fact_says_something_else
UPDATE fact SET body = (SELECT body FROM fact WHERE position = 3) WHERE position = 2

-- name: a_fact_cannot_be_read
UPDATE fact SET body = '\x00' WHERE position = 2

-- name: a_cursor_has_gone_too_far
UPDATE follower SET position = position + 7 WHERE name = 'state'

-- name: a_fact_was_passed_over
UPDATE follower SET processed = processed - 1 WHERE name = 'state'

-- name: nothing_is_parked
INSERT INTO parked (follower, position, error_code, error) VALUES ('graph', -1, 'x', 'x')

-- name: a_run_is_unknown
DELETE FROM run WHERE id = '00000000-0000-0000-0000-000000000001'

-- name: a_version_too_much
INSERT INTO dataset_version (id, dataset_id, state, origin, time, event_time, position)
SELECT gen_random_uuid(), dataset_id, state, origin, time, event_time, position FROM dataset_version LIMIT 1

-- name: a_version_of_another_state
UPDATE dataset_version SET state = 'partial' WHERE id = (SELECT min(id::text)::uuid FROM dataset_version)

-- name: an_observation_is_gone
DELETE FROM observation WHERE sequence = (SELECT max(sequence) FROM observation)

-- name: a_run_was_made_up
INSERT INTO pipeline_run (id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open,
    attempts_left, due_position, due_at, reason)
SELECT gen_random_uuid(), pipeline, number + 1000, document_version, state, cause, actor, causal_depth, batch_open,
       attempts_left, due_position, due_at, reason
FROM pipeline_run WHERE pipeline = 'each_a' AND number = 1

-- name: an_illegal_move
WITH moved AS (
    UPDATE pipeline_run SET state = 'queued' WHERE state = 'succeeded' AND pipeline = 'late' RETURNING id, attempt
)
INSERT INTO pipeline_run_transition (run_id, from_state, to_state, attempt, at, position, actor, reason)
SELECT id, 'succeeded', 'queued', attempt, now(), 1, 'x', 'x' FROM moved

-- name: a_state_without_a_move
UPDATE pipeline_run SET state = 'lost' WHERE state = 'failed'

-- name: consumed_by_nobody
DELETE FROM pipeline_run WHERE pipeline = 'each_a' AND number = 1

-- name: consumed_and_waiting
INSERT INTO input_queue (pipeline, input_id, sequence, version_id, at, depth)
SELECT pipeline, input_id, sequence, version_id, now(), 0 FROM consumption WHERE pipeline = 'latest_a'

-- name: due_without_a_run
WITH forgotten AS (
    DELETE FROM consumption WHERE pipeline = 'late' RETURNING pipeline, input_id, sequence, version_id
)
INSERT INTO input_queue (pipeline, input_id, sequence, version_id, at, depth)
SELECT pipeline, input_id, sequence, version_id, now(), 0 FROM forgotten

-- name: a_slot_is_free
DELETE FROM pipeline_run WHERE pipeline = 'each_a' AND state = 'queued'

-- name: nobody_goes_on_with_a_run
DELETE FROM procrastinate_jobs

-- name: a_job_for_nobody
INSERT INTO procrastinate_jobs (queue_name, task_name, args)
VALUES ('launch', 'headwater.launch', '{"attempts": [["00000000-0000-0000-0000-00000000abcd", 1]]}')

-- name: a_claim_that_nobody_told
INSERT INTO attempt_claim (run_id, attempt, host)
SELECT id, attempt, 'elsewhere' FROM pipeline_run WHERE state = 'queued' LIMIT 1

-- name: a_claim_of_what_was_never_granted
INSERT INTO attempt_claim (run_id, attempt, host) SELECT id, 99, 'elsewhere' FROM pipeline_run LIMIT 1

-- name: a_start_on_another_host
UPDATE attempt_claim SET host = 'elsewhere' WHERE host <> ''

-- name: an_edge_is_gone
DELETE FROM graph_edge
