-- name: own_changes
DELETE FROM search_change WHERE transaction = pg_current_xact_id() RETURNING kind, id

-- name: leave_changes
-- To the workers, as if they came from another transaction.
INSERT INTO search_change (transaction, kind, id)
SELECT '0'::xid8, kind, id FROM unnest(%(kinds)b::text[], %(ids)b::uuid[]) AS c (kind, id)

-- name: changes
DELETE FROM search_change
WHERE sequence IN (SELECT sequence FROM search_change ORDER BY sequence LIMIT %(limit)s)
RETURNING kind, id

-- name: waiting
SELECT count(*) FROM search_change

-- name: lock
SELECT pg_advisory_xact_lock(%(key)s)

-- name: try_lock
SELECT pg_try_advisory_xact_lock(%(key)s)

-- name: datasets
SELECT id, namespace, name FROM dataset WHERE id = ANY(%(ids)b::uuid[])

-- name: jobs
SELECT id, namespace, name FROM job WHERE id = ANY(%(ids)b::uuid[])

-- name: facets_of_datasets
SELECT f.dataset_id, e.key, b.body
FROM dataset_facet f CROSS JOIN jsonb_each(f.facets) e JOIN facet_body b ON b.digest = e.value->>1
WHERE f.dataset_id = ANY(%(ids)b::uuid[]) AND e.key = ANY(%(names)b::text[])

-- name: facets_of_jobs
SELECT f.job_id, e.key, b.body
FROM job_facet f CROSS JOIN jsonb_each(f.facets) e JOIN facet_body b ON b.digest = e.value->>1
WHERE f.job_id = ANY(%(ids)b::uuid[]) AND e.key = ANY(%(names)b::text[])

-- name: pipelines
SELECT md5(name)::uuid, name, body FROM (
    SELECT DISTINCT ON (name) name, body, deleted FROM document
    WHERE kind = 'Pipeline' AND md5(name)::uuid = ANY(%(ids)b::uuid[]) ORDER BY name, version DESC
) AS latest WHERE NOT deleted

-- name: add_words
INSERT INTO search_word (word) SELECT * FROM unnest(%(words)b::text[]) RETURNING word, id

-- name: words
SELECT word, id FROM search_word WHERE word = ANY(%(words)b::text[])

-- name: save_entries
INSERT INTO search_entry (kind, id, namespace, name, texts, words)
SELECT kind, id, namespace, name, texts, string_to_array(words, ',')::bigint[]
FROM unnest(%(kinds)b::text[], %(ids)b::uuid[], %(namespaces)b::text[], %(names)b::text[], %(texts)b::text[],
            %(words)b::text[]) AS e (kind, id, namespace, name, texts, words)
ON CONFLICT (kind, id) DO UPDATE SET texts = excluded.texts, words = excluded.words

-- name: remove_entries
DELETE FROM search_entry
WHERE (kind, id) IN (SELECT * FROM unnest(%(kinds)b::text[], %(ids)b::uuid[]))

-- name: forget_entries
DELETE FROM search_entry

-- name: forget_words
DELETE FROM search_word

-- name: forget_changes
DELETE FROM search_change

-- name: change_everything
INSERT INTO search_change (transaction, kind, id)
SELECT '0'::xid8, 'dataset', id FROM dataset
UNION ALL SELECT '0'::xid8, 'job', id FROM job
UNION ALL SELECT '0'::xid8, 'pipeline', md5(name)::uuid FROM pipeline

-- name: entries
SELECT count(*) FROM search_entry
