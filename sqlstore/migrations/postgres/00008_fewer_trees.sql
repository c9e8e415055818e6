-- +goose Up
-- Almost every transaction executes at its own TxnID, so that an index by the one finds it by the other.
DROP INDEX request_txn_id;
CREATE INDEX request_txn_id ON request (txn_id) WHERE txn_id <> execute_at;
DROP INDEX accord_txn_execute_at;
CREATE INDEX accord_txn_execute_at ON accord_txn (execute_at) WHERE txn_id <> execute_at;

-- +goose Down
DROP INDEX request_txn_id;
CREATE INDEX request_txn_id ON request (txn_id);
DROP INDEX accord_txn_execute_at;
CREATE INDEX accord_txn_execute_at ON accord_txn (execute_at);
