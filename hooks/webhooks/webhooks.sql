-- name: installation
SELECT id FROM installation

-- name: cursor
SELECT position FROM follower WHERE name = 'webhooks'

-- name: cursor_held
-- The follower makes no messages until this transaction has ended.
SELECT position FROM follower WHERE name = 'webhooks' FOR SHARE

-- name: any_webhook
SELECT EXISTS (SELECT FROM webhook)

-- name: subscribers
SELECT w.name, w.document_version, w.state, w.filled_to, w.pending, d.body FROM webhook w
JOIN document d ON d.kind = 'Webhook' AND d.name = w.name AND d.version = w.document_version
ORDER BY w.name

-- name: subscriber
SELECT w.name, w.document_version, w.state, w.filled_to, w.pending, d.body FROM webhook w
JOIN document d ON d.kind = 'Webhook' AND d.name = w.name AND d.version = w.document_version
WHERE w.name = %(webhook)s AND w.ticket = %(ticket)s AND w.holder = %(holder)s AND w.state = 'active'
FOR UPDATE OF w

-- name: lock
-- Before rows of its messages are locked, which is the order in which delivery locks them.
SELECT FROM webhook WHERE name = %(webhook)s FOR UPDATE

-- name: hurry
UPDATE webhook_message SET next_attempt_at = NULL
WHERE webhook = %(webhook)s AND state = 'pending' AND next_attempt_at IS NOT NULL

-- name: register
INSERT INTO webhook (name, document_version, state, reason, since, actor, filled_to)
VALUES (%(webhook)s, %(version)s, %(state)s, %(reason)s, %(at)s, %(actor)s, %(place)s)
ON CONFLICT (name) DO UPDATE SET document_version = excluded.document_version, state = excluded.state,
    reason = excluded.reason, since = excluded.since, actor = excluded.actor, ticket = NULL

-- name: remove
WITH gone AS (DELETE FROM webhook_message WHERE webhook = %(webhook)s)
DELETE FROM webhook WHERE name = %(webhook)s

-- name: set_state
UPDATE webhook SET state = %(state)s, reason = %(reason)s, since = %(at)s, actor = %(actor)s, ticket = NULL
WHERE name = %(webhook)s

-- name: replay
WITH gone AS (
    DELETE FROM webhook_message
    WHERE webhook = %(webhook)s AND position >= %(position)s AND state IN ('pending', 'delivered', 'dead')
    RETURNING state
), counted AS (
    SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'dead') AS dead FROM gone
)
UPDATE webhook SET filled_to = least(filled_to, %(position)s - 1), pending = webhook.pending - counted.pending,
    dead = webhook.dead - counted.dead, ticket = NULL
FROM counted WHERE name = %(webhook)s

-- name: retry_dead
WITH again AS (
    UPDATE webhook_message SET state = 'pending', attempts = 0, next_attempt_at = NULL
    WHERE webhook = %(webhook)s AND state = 'dead' RETURNING number
), counted AS (SELECT count(*) AS messages FROM again)
UPDATE webhook SET pending = pending + counted.messages, dead = dead - counted.messages, ticket = NULL
FROM counted WHERE name = %(webhook)s

-- name: add_messages
WITH added AS (
    INSERT INTO webhook_message (webhook, id, type, position, at, payload, state)
    SELECT m.webhook, m.id, m.type, m.position, m.at, m.payload, 'pending'
    FROM unnest(%(webhooks)s::text[], %(ids)s::uuid[], %(types)s::text[], %(positions)s::bigint[], %(ats)s::timestamptz[],
                %(payloads)s::bytea[]) WITH ORDINALITY AS m (webhook, id, type, position, at, payload, ordinal)
    ORDER BY m.ordinal
    ON CONFLICT (webhook, id) DO NOTHING
    RETURNING webhook
), counted AS (SELECT webhook, count(*) AS messages FROM added GROUP BY webhook)
UPDATE webhook SET pending = pending + counted.messages FROM counted WHERE name = counted.webhook

-- name: add_test
INSERT INTO webhook_message (webhook, id, type, position, at, payload, state)
VALUES (%(webhook)s, %(id)s, %(type)s, %(position)s, %(at)s, %(payload)s, 'test') ON CONFLICT DO NOTHING

-- name: fill
UPDATE webhook SET filled_to = f.place
FROM unnest(%(webhooks)s::text[], %(places)s::bigint[]) AS f (name, place) WHERE webhook.name = f.name
  AND webhook.filled_to <> f.place

-- name: wake
UPDATE webhook SET ticket = nextval('webhook_ticket'), holder = NULL
WHERE name = ANY(%(webhooks)s::text[]) AND ticket IS NULL AND state = 'active'
  AND (pending > 0 OR filled_to < %(place)s)
RETURNING name, ticket

-- name: claim
UPDATE webhook SET holder = %(holder)s
WHERE name = %(webhook)s AND ticket = %(ticket)s AND state = 'active' RETURNING name

-- name: parked
SELECT position FROM parked WHERE follower = 'webhooks' AND position > %(after)s
UNION SELECT position FROM skipped WHERE follower = 'webhooks' AND position > %(after)s

-- name: current_document
SELECT d.body FROM webhook w
JOIN document d ON d.kind = 'Webhook' AND d.name = w.name AND d.version = w.document_version
WHERE w.name = %(webhook)s

-- name: head
SELECT number, id, type, position, payload, attempts, next_attempt_at FROM webhook_message
WHERE webhook = %(webhook)s AND state = 'pending' ORDER BY number LIMIT 1

-- name: test_message
SELECT number, id, type, position, payload, attempts, next_attempt_at FROM webhook_message
WHERE webhook = %(webhook)s AND id = %(id)s AND state = 'test'

-- name: test_ended
UPDATE webhook_message SET state = %(state)s, attempts = attempts + 1, last_attempt_at = %(at)s, status = %(status)s,
    error = %(error)s
WHERE number = %(number)s AND state = 'test'

-- name: delivered
WITH held AS (
    UPDATE webhook SET pending = pending - 1, delivered = delivered + 1, last_delivered_at = %(at)s
    WHERE name = %(webhook)s AND ticket = %(ticket)s AND holder = %(holder)s RETURNING delivered
), message AS (
    UPDATE webhook_message SET state = 'delivered', attempts = attempts + 1, next_attempt_at = NULL,
        last_attempt_at = %(at)s, status = %(status)s, error = NULL
    WHERE number = %(number)s AND EXISTS (SELECT FROM held)
)
SELECT delivered FROM held

-- name: failed
-- `next` is when it is sent again; null makes it a dead letter.
WITH held AS (
    UPDATE webhook SET failed = failed + 1, last_failed_at = %(at)s, last_error = %(error)s,
        pending = pending - (%(next)s::timestamptz IS NULL)::int, dead = dead + (%(next)s::timestamptz IS NULL)::int
    WHERE name = %(webhook)s AND ticket = %(ticket)s AND holder = %(holder)s RETURNING dead
), message AS (
    UPDATE webhook_message SET state = CASE WHEN %(next)s::timestamptz IS NULL THEN 'dead' ELSE 'pending' END,
        attempts = attempts + %(counts)s::int, next_attempt_at = %(next)s, last_attempt_at = %(at)s, status = %(status)s,
        error = %(error)s
    WHERE number = %(number)s AND EXISTS (SELECT FROM held)
)
SELECT dead FROM held

-- name: pause
UPDATE webhook SET state = 'paused', reason = %(reason)s, since = %(at)s, actor = 'headwater', ticket = NULL
WHERE name = %(webhook)s AND ticket = %(ticket)s AND holder = %(holder)s RETURNING name

-- name: next_ticket
UPDATE webhook SET ticket = nextval('webhook_ticket'), holder = NULL
WHERE name = %(webhook)s AND ticket = %(ticket)s AND holder = %(holder)s RETURNING ticket

-- name: rest
UPDATE webhook SET ticket = NULL, holder = NULL
WHERE name = %(webhook)s AND ticket = %(ticket)s AND holder = %(holder)s

-- name: prune
-- The newest stay; tests count with what was delivered.
DELETE FROM webhook_message
WHERE webhook = %(webhook)s AND state IN ('delivered', 'failed') AND number < (
    SELECT min(number) FROM (
        SELECT number FROM webhook_message WHERE webhook = %(webhook)s AND state IN ('delivered', 'failed')
        ORDER BY number DESC LIMIT %(kept)s) AS newest)

-- name: orphans
-- Webhooks whose delivery job is not in the queue, as after a restore: the next wake gives them another.
UPDATE webhook w SET ticket = NULL
WHERE w.state = 'active' AND w.ticket IS NOT NULL AND NOT EXISTS (
    SELECT FROM procrastinate_jobs j
    WHERE j.task_name = 'headwater.webhook.deliver' AND j.status IN ('todo', 'doing')
      AND j.args @> jsonb_build_object('ticket', w.ticket))
RETURNING name
