-- name: webhooks
SELECT w.name, w.state, w.reason, w.actor, w.pending, w.dead, w.delivered, w.failed, w.last_error,
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(
           (SELECT m.at FROM webhook_message m WHERE m.webhook = w.name AND m.state = 'pending' ORDER BY m.number LIMIT 1),
           CASE WHEN w.filled_to < f.position THEN (SELECT received_at FROM fact WHERE fact.position = least(
               (SELECT v.position FROM version_event v WHERE v.position > w.filled_to ORDER BY v.position LIMIT 1),
               (SELECT t.position FROM pipeline_run_transition t WHERE t.position > w.filled_to ORDER BY t.position LIMIT 1)))
           END)), 0)::float8
FROM webhook w CROSS JOIN (SELECT position FROM follower WHERE name = 'webhooks') AS f
ORDER BY w.name
