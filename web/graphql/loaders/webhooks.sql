-- name: by_name
SELECT w.name, w.document_version, w.state, w.reason, w.since, w.actor, w.filled_to, w.pending, w.dead, w.delivered,
       w.failed, w.last_delivered_at, w.last_failed_at, w.last_error, d.body
FROM webhook w JOIN document d ON d.kind = 'Webhook' AND d.name = w.name AND d.version = w.document_version
WHERE w.name = ANY(%(names)s::text[])

-- name: page
SELECT w.name, w.document_version, w.state, w.reason, w.since, w.actor, w.filled_to, w.pending, w.dead, w.delivered,
       w.failed, w.last_delivered_at, w.last_failed_at, w.last_error, d.body
FROM webhook w JOIN document d ON d.kind = 'Webhook' AND d.name = w.name AND d.version = w.document_version
WHERE w.name > %(after)s ORDER BY w.name LIMIT %(limit)s

-- name: count
SELECT count(*) FROM webhook

-- name: oldest
SELECT DISTINCT ON (webhook) webhook, at FROM webhook_message
WHERE webhook = ANY(%(names)s::text[]) AND state = 'pending' ORDER BY webhook, number

-- name: deliveries
SELECT m.webhook, m.number, m.id, m.type, m.position, m.at, m.payload, m.state, m.attempts, m.next_attempt_at,
       m.last_attempt_at, m.status, m.error
FROM unnest(%(names)s::text[]) AS asked (name)
CROSS JOIN LATERAL (
    SELECT * FROM webhook_message WHERE webhook = asked.name AND number < %(after)s
      AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    ORDER BY number DESC LIMIT %(limit)s
) AS m

-- name: delivery_counts
SELECT webhook, count(*) FROM webhook_message
WHERE webhook = ANY(%(names)s::text[]) AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
GROUP BY webhook

-- name: delivery
SELECT m.webhook, m.number, m.id, m.type, m.position, m.at, m.payload, m.state, m.attempts, m.next_attempt_at,
       m.last_attempt_at, m.status, m.error
FROM webhook_message m WHERE m.webhook = %(webhook)s AND m.id = %(id)s

-- name: followed
SELECT position FROM follower WHERE name = 'webhooks'
