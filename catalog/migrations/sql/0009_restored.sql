-- The identity that an installation had before it was restored from an archive for the first time: the runs of what was
-- lost must not meet those that come now. Null: never restored.
ALTER TABLE installation ADD COLUMN original uuid;
