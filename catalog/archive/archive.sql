-- name: header
SELECT clock_timestamp(), current_setting('server_version'), (SELECT version_num FROM alembic_version),
       (SELECT coalesce(max(position), 0) FROM fact), (SELECT position FROM follower WHERE name = 'state')

-- name: partitions
SELECT c.relname, (matches)[1]::bigint, (matches)[2]::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
    $$FROM \('?(\d+)'?\) TO \('?(\d+)'?\)$$) AS matches
WHERE i.inhparent = 'fact'::regclass ORDER BY 2

-- name: sequences
-- Sequences of the catalog's own schema; those of the graph begin anew with it.
SELECT c.relname FROM pg_class c
WHERE c.relkind = 'S' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'fact'::regclass)
  AND c.relname NOT LIKE 'graph%%' ORDER BY 1

-- name: tables
SELECT c.relname FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('fact')) ORDER BY 1

-- name: references
-- Which table's rows refer to which other table's.
SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND conrelid <> confrelid AND conparentid = 0

-- name: anything
-- Tables of any user in the schema into which unqualified names lead.
SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
ORDER BY 1 LIMIT 1
