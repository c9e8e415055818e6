-- +goose Up
-- Almost every transaction executes at its own TxnID, so that an index by the one finds it by the other.
DROP INDEX request_txn_id;
CREATE INDEX request_txn_id ON request (txn_id) WHERE txn_id <> execute_at;

-- Rows come and are looked for in the order of txn_id: they stand in one tree now instead of three.
ALTER TABLE accord_txn RENAME TO accord_txn_rowid;
CREATE TABLE accord_txn (
    txn_id          text NOT NULL PRIMARY KEY,
    status          text NOT NULL,
    keys            text,
    events_data     blob,
    execute_at      text,
    promised        text,
    accepted_ballot text,
    vote            text,
    vote_fast       integer NOT NULL,
    vote_rejected   integer NOT NULL,
    accepted_deps   blob,
    deps            blob,
    created_at      text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at      text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    outcome         text -- of what was applied, unless request has it or it is plainly done
) STRICT, WITHOUT ROWID;
INSERT INTO accord_txn SELECT txn_id, status, keys, events_data, execute_at, promised, accepted_ballot, vote, vote_fast, vote_rejected,
    accepted_deps, deps, created_at, updated_at, outcome FROM accord_txn_rowid ORDER BY txn_id;
DROP TABLE accord_txn_rowid;
CREATE INDEX accord_txn_status ON accord_txn (status) WHERE status <> 'applied';
CREATE INDEX accord_txn_execute_at ON accord_txn (execute_at) WHERE txn_id <> execute_at;

-- +goose Down
DROP INDEX request_txn_id;
CREATE INDEX request_txn_id ON request (txn_id);
ALTER TABLE accord_txn RENAME TO accord_txn_tree;
CREATE TABLE accord_txn (
    txn_id          text NOT NULL PRIMARY KEY,
    status          text NOT NULL,
    keys            text,
    events_data     blob,
    execute_at      text,
    promised        text,
    accepted_ballot text,
    vote            text,
    vote_fast       integer NOT NULL,
    vote_rejected   integer NOT NULL,
    accepted_deps   blob,
    deps            blob,
    created_at      text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at      text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    outcome         text -- of what was applied, unless request has it or it is plainly done
) STRICT;
INSERT INTO accord_txn SELECT txn_id, status, keys, events_data, execute_at, promised, accepted_ballot, vote, vote_fast, vote_rejected,
    accepted_deps, deps, created_at, updated_at, outcome FROM accord_txn_tree ORDER BY txn_id;
DROP TABLE accord_txn_tree;
CREATE INDEX accord_txn_status ON accord_txn (status) WHERE status <> 'applied';
CREATE INDEX accord_txn_execute_at ON accord_txn (execute_at);
