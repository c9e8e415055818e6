-- +goose Up
ALTER TABLE subscriber ADD COLUMN seen_at text;  -- when its worker was last heard of
ALTER TABLE accord_txn ADD COLUMN outcome text;  -- of what was applied, unless request has it or it is plainly done

-- +goose Down
ALTER TABLE subscriber DROP COLUMN seen_at;
ALTER TABLE accord_txn DROP COLUMN outcome;
