-- Events by the time that they tell: what another server replays, and people look through.
CREATE INDEX fact_event_time ON fact (event_time, position) INCLUDE (kind)
    WHERE kind IN ('openlineage.run', 'openlineage.dataset', 'openlineage.job');

-- Search -------------------------------------------------------------------------------------------------------
-- What a name is found by: its words, `~` with three neighbouring characters of a word (`^` begins a word, `$` ends
-- it), and `=` with the whole name. Of a long name the beginning and the end count. Everything of ASCII that is neither
-- letter nor digit parts words, and so does the step from a small to a capital letter.
-- One function and no other beneath it: an index on it is restored where no schema is searched for functions.
CREATE FUNCTION search_terms(name text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000 AS $$
DECLARE
    known text := CASE WHEN length(name) <= 2048 THEN name ELSE left(name, 1024) || ' ' || right(name, 1024) END;
    marks text := E'\t\n\r !"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~';
    words text[];
BEGIN
    words := string_to_array(translate(lower(known), marks, repeat(' ', length(marks))), ' ');
    IF known ~ '[a-z0-9][A-Z]' THEN
        words := words || string_to_array(
            translate(
                lower(regexp_replace(known, '([a-z0-9])([A-Z])', '\1 \2', 'g')), marks, repeat(' ', length(marks))
            ), ' ');
    END IF;
    words := array_remove(words, '');
    RETURN array_to_tsvector(ARRAY(
        SELECT left(word, 400) FROM unnest(words) AS word
        UNION
        SELECT '~' || substr('^' || word || '$', place, 3)
        FROM unnest(words) AS word, generate_series(1, length(word)) AS place
        UNION
        SELECT '=' || left(lower(known), 400)
    ));
END
$$;

CREATE INDEX dataset_search ON dataset USING gin (search_terms(name));
CREATE INDEX job_search ON job USING gin (search_terms(name));
