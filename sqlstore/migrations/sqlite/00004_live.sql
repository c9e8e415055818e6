-- +goose Up
ALTER TABLE node ADD COLUMN published text; -- all events up to this position have been published live, by this node or another

-- +goose Down
ALTER TABLE node DROP COLUMN published;
