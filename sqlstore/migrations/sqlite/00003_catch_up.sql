-- +goose Up
-- execute_at is of the last command on the row, so that of two nodes' rows it is known which is the newer.
ALTER TABLE subscriber ADD COLUMN execute_at text NOT NULL DEFAULT '';
ALTER TABLE snapshot ADD COLUMN execute_at text NOT NULL DEFAULT '';
ALTER TABLE snapshot ADD COLUMN dropped integer NOT NULL DEFAULT 0; -- kept for its execute_at
ALTER TABLE node ADD COLUMN caught_up text NOT NULL DEFAULT '';  -- all that executes up to it came with a log
ALTER TABLE node ADD COLUMN log_cursor text NOT NULL DEFAULT ''; -- how far the log of another node is merged
CREATE INDEX request_execute_at ON request (execute_at);

-- +goose Down
DROP INDEX request_execute_at;
ALTER TABLE node DROP COLUMN log_cursor;
ALTER TABLE node DROP COLUMN caught_up;
ALTER TABLE snapshot DROP COLUMN dropped;
ALTER TABLE snapshot DROP COLUMN execute_at;
ALTER TABLE subscriber DROP COLUMN execute_at;
