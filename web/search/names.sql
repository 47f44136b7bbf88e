-- name: index_alone
-- Whatever the statistics say: the index costs milliseconds, terms made anew for each row cost seconds.
SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)

-- name: as_before
SELECT set_config('enable_seqscan', %(seqscan)s, true)

-- name: found_datasets
SELECT id, namespace, name, first_seen_at, position FROM dataset
WHERE search_terms(name) @@ %(terms)s::tsquery AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
ORDER BY length(name), name COLLATE "C", namespace COLLATE "C", id LIMIT %(limit)s

-- name: found_jobs
SELECT id, namespace, name, first_seen_at, position, shape_at, shape_hash FROM job
WHERE search_terms(name) @@ %(terms)s::tsquery AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
ORDER BY length(name), name COLLATE "C", namespace COLLATE "C", id LIMIT %(limit)s
