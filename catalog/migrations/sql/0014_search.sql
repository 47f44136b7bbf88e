-- Search beyond names ------------------------------------------------------------------------------------------
-- Every word that something is found by, once; with `=` before it a whole name, column, tag or owner in small letters.
CREATE TABLE search_word (
    id   bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word text   COLLATE "C" NOT NULL UNIQUE
);
-- What stands within a word, or is one error away from it; whole texts are asked for as they are.
CREATE INDEX search_word_parts ON search_word USING gin (search_terms(word)) WITH (gin_pending_list_limit = 512)
    WHERE left(word, 1) <> '=';

-- What a dataset, a job or a pipeline is found by. `texts` is JSON: [[field, text, column or null], ...]. `words` holds
-- 8 * search_word.id + field for each word of each text, and the negative number of the kind.
CREATE TABLE search_entry (
    kind      text     NOT NULL,
    id        uuid     NOT NULL,
    namespace text     NOT NULL,
    name      text     NOT NULL,
    texts     text     NOT NULL,
    words     bigint[] NOT NULL,
    PRIMARY KEY (kind, id)
);
-- What is not merged into the index yet is read by every search, so it is kept short (KiB).
CREATE INDEX search_entry_words ON search_entry USING gin (words) WITH (gin_pending_list_limit = 512);

-- Entities whose entries are not up to date. Triggers write it, so that nothing is missed while processes of an older
-- release write the state; the transaction that made a change takes its own rows, a worker takes what is left.
CREATE TABLE search_change (
    sequence    bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction xid8   NOT NULL DEFAULT pg_current_xact_id(),
    kind        text   NOT NULL,
    id          uuid   NOT NULL
);
CREATE INDEX search_change_transaction ON search_change (transaction);

CREATE FUNCTION note_dataset_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind, id) VALUES ('dataset', NEW.id);
    RETURN NULL;
END
$$;
CREATE FUNCTION note_job_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind, id) VALUES ('job', NEW.id);
    RETURN NULL;
END
$$;
CREATE FUNCTION note_dataset_facets_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind, id) VALUES ('dataset', NEW.dataset_id);
    RETURN NULL;
END
$$;
CREATE FUNCTION note_job_facets_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind, id) VALUES ('job', NEW.job_id);
    RETURN NULL;
END
$$;
CREATE FUNCTION note_pipeline_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind, id) VALUES ('pipeline', md5(NEW.name)::uuid);
    RETURN NULL;
END
$$;

CREATE TRIGGER search_dataset AFTER INSERT ON dataset
    FOR EACH ROW EXECUTE FUNCTION note_dataset_for_search();
CREATE TRIGGER search_job AFTER INSERT ON job
    FOR EACH ROW EXECUTE FUNCTION note_job_for_search();
-- A row of facets is written with every event; only what these facets say matters here, and they seldom change.
CREATE TRIGGER search_dataset_described AFTER INSERT ON dataset_facet
    FOR EACH ROW WHEN (NEW.facets ?| '{schema,documentation,tags,ownership}')
    EXECUTE FUNCTION note_dataset_facets_for_search();
CREATE TRIGGER search_dataset_described_anew AFTER UPDATE ON dataset_facet
    FOR EACH ROW WHEN (
        NEW.facets #> '{schema,1}' IS DISTINCT FROM OLD.facets #> '{schema,1}'
        OR NEW.facets #> '{documentation,1}' IS DISTINCT FROM OLD.facets #> '{documentation,1}'
        OR NEW.facets #> '{tags,1}' IS DISTINCT FROM OLD.facets #> '{tags,1}'
        OR NEW.facets #> '{ownership,1}' IS DISTINCT FROM OLD.facets #> '{ownership,1}'
    ) EXECUTE FUNCTION note_dataset_facets_for_search();
CREATE TRIGGER search_job_described AFTER INSERT ON job_facet
    FOR EACH ROW WHEN (NEW.facets ?| '{documentation,tags,ownership}')
    EXECUTE FUNCTION note_job_facets_for_search();
CREATE TRIGGER search_job_described_anew AFTER UPDATE ON job_facet
    FOR EACH ROW WHEN (
        NEW.facets #> '{documentation,1}' IS DISTINCT FROM OLD.facets #> '{documentation,1}'
        OR NEW.facets #> '{tags,1}' IS DISTINCT FROM OLD.facets #> '{tags,1}'
        OR NEW.facets #> '{ownership,1}' IS DISTINCT FROM OLD.facets #> '{ownership,1}'
    ) EXECUTE FUNCTION note_job_facets_for_search();
CREATE TRIGGER search_pipeline AFTER INSERT ON document
    FOR EACH ROW WHEN (NEW.kind = 'Pipeline') EXECUTE FUNCTION note_pipeline_for_search();

-- Everything that is known already is brought in by the workers.
INSERT INTO search_change (kind, id) SELECT 'dataset', id FROM dataset;
INSERT INTO search_change (kind, id) SELECT 'job', id FROM job;
INSERT INTO search_change (kind, id) SELECT 'pipeline', md5(name)::uuid FROM pipeline;
