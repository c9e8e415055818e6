-- +goose Up
-- Requests that share a transaction have its id with a number behind it.
DROP INDEX request_txn_id;
CREATE INDEX request_txn_id ON request (txn_id) WHERE substr(txn_id, 1, 24) <> execute_at;

-- +goose Down
DROP INDEX request_txn_id;
CREATE INDEX request_txn_id ON request (txn_id) WHERE txn_id <> execute_at;
