-- +goose Up
CREATE TABLE event (
    position    text NOT NULL PRIMARY KEY,
    txn_id      text NOT NULL,
    stream      text NOT NULL,
    version     integer NOT NULL,
    id          text NOT NULL,
    category    text NOT NULL,
    type        text NOT NULL,
    data        text,           -- JSON; null if the data is bytes
    data_bytes  blob,          -- null if the data is JSON
    metadata    text,           -- JSON
    routing_key text,
    tags        text,           -- JSON
    recorded_at text NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_stream_version ON event (stream, version);
CREATE UNIQUE INDEX event_id ON event (id);
CREATE INDEX event_category_position ON event (category, position);
CREATE INDEX event_routing_key_position ON event (routing_key, position) WHERE routing_key IS NOT NULL;

CREATE TABLE stream (
    stream   text NOT NULL PRIMARY KEY,
    version  integer NOT NULL,
    position text NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    request_id text NOT NULL PRIMARY KEY,
    txn_id     text NOT NULL,
    execute_at text NOT NULL,
    hash       blob NOT NULL,
    committed  integer NOT NULL,
    refusal    text             -- of a request that did not commit: why
) STRICT, WITHOUT ROWID;
CREATE INDEX request_txn_id ON request (txn_id);

CREATE TABLE subscriber (
    key    text NOT NULL PRIMARY KEY,
    worker text NOT NULL,
    cursor text NOT NULL,
    lag    integer NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot (
    stream  text NOT NULL,
    name    text NOT NULL,
    version integer NOT NULL,
    data    blob NOT NULL,
    PRIMARY KEY (stream, name)
) STRICT, WITHOUT ROWID;

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
    updated_at      text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX accord_txn_status ON accord_txn (status) WHERE status <> 'applied';
CREATE INDEX accord_txn_execute_at ON accord_txn (execute_at);

CREATE TABLE node (
    one              integer PRIMARY KEY CHECK (one = 1),
    cluster          text NOT NULL,
    name             text NOT NULL,
    nodes            text NOT NULL,
    incarnation      integer NOT NULL,
    hlc_limit        integer NOT NULL DEFAULT 0,
    epoch            integer NOT NULL DEFAULT 0,
    conflict_floor   text,
    reject_floor     text,
    frontier         text,      -- the protocol's watermark
    redundant_before text
) STRICT;

-- +goose Down
DROP TABLE event;
DROP TABLE stream;
DROP TABLE request;
DROP TABLE subscriber;
DROP TABLE snapshot;
DROP TABLE accord_txn;
DROP TABLE node;
