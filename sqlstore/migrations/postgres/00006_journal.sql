-- +goose Up
ALTER TABLE node ADD COLUMN journal_id text NOT NULL DEFAULT '';       -- of the journal that is kept in files; empty: here
ALTER TABLE node ADD COLUMN journal_from bigint NOT NULL DEFAULT 0;    -- its first file that is needed

-- +goose Down
ALTER TABLE node DROP COLUMN journal_from;
ALTER TABLE node DROP COLUMN journal_id;
