-- +goose Up
-- Fences, by the kind in their TxnIDs, are deleted long before the transactions among them.
CREATE INDEX accord_txn_fence ON accord_txn (txn_id) WHERE substr(txn_id, 21, 1) IN ('6', '7', '8', '9');

-- +goose Down
DROP INDEX accord_txn_fence;
