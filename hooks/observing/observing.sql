-- name: known_datasets
SELECT id FROM dataset WHERE id = ANY(%(ids)b::uuid[])

-- name: jobs
SELECT id, shape_at, shape_tiebreak, shape_hash FROM job WHERE id = ANY(%(ids)b::uuid[])

-- name: aliases
SELECT dataset_id, alias_id, since, type FROM dataset_alias WHERE dataset_id = ANY(%(ids)b::uuid[])

-- name: renames
SELECT dataset_id, previous_id, since FROM dataset_rename WHERE dataset_id = ANY(%(ids)b::uuid[])

-- name: parents
SELECT job_id, parent_id, since FROM job_parent WHERE job_id = ANY(%(ids)b::uuid[])

-- name: classes
SELECT c.dataset_id, m.dataset_id
FROM dataset_class c JOIN dataset_class m USING (class_id) WHERE c.dataset_id = ANY(%(ids)b::uuid[])

-- name: runs
SELECT id, job_id, parent_run_id, root_run_id, position, bounded_at, merged
FROM run WHERE id = ANY(%(ids)b::uuid[])

-- name: children
SELECT id, job_id, parent_run_id, root_run_id, position, bounded_at, merged
FROM run WHERE parent_run_id = ANY(%(ids)b::uuid[]) AND id <> ALL(%(ids)b::uuid[])

-- name: descendants
SELECT id, job_id, parent_run_id, root_run_id, position, bounded_at, merged
FROM run WHERE root_run_id = %(root)s

-- name: versions
SELECT id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle, schema_hash,
       row_count, byte_count, digest, position
FROM dataset_version WHERE id = ANY(%(ids)b::uuid[])

-- name: versions_of_run
SELECT id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle, schema_hash,
       row_count, byte_count, digest, position
FROM dataset_version WHERE run_id = %(run)s

-- name: makers
SELECT run_id FROM version_maker WHERE version_id = %(version)s

-- name: columns
SELECT digest, body FROM column_lineage WHERE digest = ANY(%(digests)b::text[])

-- name: save_columns
INSERT INTO column_lineage (digest, body)
SELECT * FROM unnest(%(digests)b::text[], %(bodies)b::bytea[]) ON CONFLICT (digest) DO NOTHING

-- name: dataset_facets
SELECT dataset_id, orders, facets FROM dataset_facet WHERE dataset_id = ANY(%(ids)b::uuid[])

-- name: job_facets
SELECT job_id, orders, facets FROM job_facet WHERE job_id = ANY(%(ids)b::uuid[])

-- name: save_dataset_facets
INSERT INTO dataset_facet (dataset_id, orders, facets)
SELECT id, string_to_array(orders, ','), facets::jsonb
FROM unnest(%(ids)b::uuid[], %(orders)b::text[], %(facets)b::text[]) AS f (id, orders, facets)
ON CONFLICT (dataset_id) DO UPDATE SET orders = excluded.orders, facets = excluded.facets

-- name: save_job_facets
INSERT INTO job_facet (job_id, orders, facets)
SELECT id, string_to_array(orders, ','), facets::jsonb
FROM unnest(%(ids)b::uuid[], %(orders)b::text[], %(facets)b::text[]) AS f (id, orders, facets)
ON CONFLICT (job_id) DO UPDATE SET orders = excluded.orders, facets = excluded.facets

-- name: save_facet_bodies
INSERT INTO facet_body (digest, body)
SELECT * FROM unnest(%(digests)b::text[], %(bodies)b::bytea[]) ON CONFLICT (digest) DO NOTHING

-- name: save_makers
INSERT INTO version_maker (version_id, run_id)
SELECT * FROM unnest(%(versions)b::uuid[], %(runs)b::uuid[]) ON CONFLICT DO NOTHING

-- name: was_published
SELECT EXISTS (SELECT FROM version_event WHERE version_id = %(id)s AND kind = 'published')

-- name: shape
SELECT body FROM shape WHERE hash = %(hash)s

-- name: shape_before
SELECT at, tiebreak, hash FROM job_shape
WHERE job_id = %(job)s AND (at, tiebreak) < (%(at)s, %(tiebreak)s) ORDER BY at DESC, tiebreak DESC LIMIT 1

-- name: shape_after
SELECT at, tiebreak, hash FROM job_shape
WHERE job_id = %(job)s AND (at, tiebreak) > (%(at)s, %(tiebreak)s) ORDER BY at, tiebreak LIMIT 1

-- name: shape_last
SELECT at, tiebreak, hash FROM job_shape WHERE job_id = %(job)s ORDER BY at DESC, tiebreak DESC LIMIT 1

-- name: shape_remove
DELETE FROM job_shape WHERE job_id = %(job)s AND at = %(at)s AND tiebreak = %(tiebreak)s

-- name: save_datasets
INSERT INTO dataset (id, namespace, name, first_seen_at, position)
SELECT * FROM unnest(%(ids)b::uuid[], %(namespaces)b::text[], %(names)b::text[], %(ats)b::timestamptz[],
                     %(positions)s::bigint[])
ON CONFLICT (id) DO NOTHING

-- name: save_jobs
INSERT INTO job (id, namespace, name, first_seen_at, position, shape_at, shape_tiebreak, shape_hash)
SELECT * FROM unnest(%(ids)b::uuid[], %(namespaces)b::text[], %(names)b::text[], %(ats)b::timestamptz[],
                     %(positions)s::bigint[], %(shape_ats)b::timestamptz[], %(tiebreaks)b::uuid[],
                     %(hashes)b::bytea[])
ON CONFLICT (id) DO NOTHING

-- name: save_job_shapes
UPDATE job j SET shape_at = s.at, shape_tiebreak = s.tiebreak, shape_hash = s.hash
FROM unnest(%(ids)b::uuid[], %(ats)b::timestamptz[], %(tiebreaks)b::uuid[], %(hashes)b::bytea[])
     AS s (id, at, tiebreak, hash)
WHERE j.id = s.id

-- name: save_shapes
INSERT INTO shape (hash, body)
SELECT * FROM unnest(%(hashes)b::bytea[], %(bodies)b::bytea[]) ON CONFLICT (hash) DO NOTHING

-- name: save_points
INSERT INTO job_shape (job_id, at, tiebreak, hash)
SELECT * FROM unnest(%(jobs)b::uuid[], %(ats)b::timestamptz[], %(tiebreaks)b::uuid[], %(hashes)b::bytea[])
ON CONFLICT (job_id, at, tiebreak) DO UPDATE SET hash = excluded.hash

-- name: save_aliases
INSERT INTO dataset_alias (dataset_id, alias_id, type, since)
SELECT * FROM unnest(%(datasets)b::uuid[], %(aliases)b::uuid[], %(types)b::text[], %(sinces)b::timestamptz[])
ON CONFLICT (dataset_id, alias_id) DO UPDATE SET since = excluded.since, type = excluded.type
WHERE (excluded.since, excluded.type) < (dataset_alias.since, dataset_alias.type)

-- name: save_renames
INSERT INTO dataset_rename (dataset_id, previous_id, since)
SELECT * FROM unnest(%(datasets)b::uuid[], %(previous)b::uuid[], %(sinces)b::timestamptz[])
ON CONFLICT (dataset_id, previous_id) DO UPDATE SET since = excluded.since

-- name: save_classes
INSERT INTO dataset_class (dataset_id, class_id)
SELECT * FROM unnest(%(datasets)b::uuid[], %(classes)b::uuid[])
ON CONFLICT (dataset_id) DO UPDATE SET class_id = excluded.class_id

-- name: save_parents
INSERT INTO job_parent (job_id, parent_id, since)
SELECT * FROM unnest(%(jobs)b::uuid[], %(parents)b::uuid[], %(sinces)b::timestamptz[])
ON CONFLICT (job_id, parent_id) DO UPDATE SET since = least(job_parent.since, excluded.since)

-- name: save_runs
INSERT INTO run (id, job_id, state, started_at, ended_at, parent_run_id, root_run_id, bounded_at, merged, position)
SELECT * FROM unnest(%(ids)b::uuid[], %(jobs)b::uuid[], %(states)b::text[], %(starts)b::timestamptz[],
    %(ends)b::timestamptz[], %(parents)b::uuid[], %(roots)b::uuid[], %(bounds)b::timestamptz[], %(merged)b::bytea[],
    %(positions)s::bigint[])
ON CONFLICT (id) DO UPDATE SET job_id = excluded.job_id, state = excluded.state, started_at = excluded.started_at,
    ended_at = excluded.ended_at, parent_run_id = excluded.parent_run_id, root_run_id = excluded.root_run_id,
    bounded_at = excluded.bounded_at, merged = excluded.merged

-- name: save_schemas
INSERT INTO dataset_schema (hash, fields)
SELECT * FROM unnest(%(hashes)b::text[], %(fields)b::bytea[]) ON CONFLICT (hash) DO NOTHING

-- name: save_versions
INSERT INTO dataset_version (id, dataset_id, state, origin, time, event_time, run_id, partition, version, lifecycle,
    schema_hash, row_count, byte_count, digest, position)
SELECT * FROM unnest(%(id)b::uuid[], %(dataset_id)b::uuid[], %(state)b::text[], %(origin)b::text[],
    %(time)b::timestamptz[], %(event_time)b::timestamptz[], %(run_id)b::uuid[], %(partition)b::text[],
    %(version)b::text[], %(lifecycle)b::text[], %(schema_hash)b::text[], %(row_count)s::bigint[],
    %(byte_count)s::bigint[], %(digest)b::text[], %(position)s::bigint[])
ON CONFLICT (id) DO UPDATE SET state = excluded.state, origin = excluded.origin, time = excluded.time,
    event_time = excluded.event_time, run_id = excluded.run_id, lifecycle = excluded.lifecycle,
    schema_hash = excluded.schema_hash, row_count = excluded.row_count, byte_count = excluded.byte_count,
    digest = excluded.digest

-- name: save_version_events
INSERT INTO version_event (position, at, kind, version_id, dataset_ids, run_ids)
SELECT position, at, kind, version_id, string_to_array(dataset_ids, ',')::uuid[], string_to_array(run_ids, ',')::uuid[]
FROM unnest(%(positions)s::bigint[], %(ats)b::timestamptz[], %(kinds)b::text[], %(versions)b::uuid[],
            %(datasets)b::text[], %(runs)b::text[]) WITH ORDINALITY
     AS e (position, at, kind, version_id, dataset_ids, run_ids, ordinal)
ORDER BY ordinal
RETURNING sequence, position, at, kind, version_id, dataset_ids, run_ids

-- name: save_observations
INSERT INTO observation (position, kind, body)
SELECT position, kind, body
FROM unnest(%(positions)s::bigint[], %(kinds)b::text[], %(bodies)b::bytea[]) WITH ORDINALITY
     AS o (position, kind, body, ordinal)
ORDER BY ordinal

-- name: scopes
SELECT body FROM (
    SELECT DISTINCT ON (name) body, deleted FROM document WHERE kind = 'VersionScope' ORDER BY name, version DESC
) AS latest WHERE NOT deleted
