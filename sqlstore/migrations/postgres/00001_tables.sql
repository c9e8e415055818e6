-- +goose Up
CREATE TABLE event (
    position    text COLLATE "C" PRIMARY KEY,
    txn_id      text COLLATE "C" NOT NULL,
    stream      text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    id          text COLLATE "C" NOT NULL,
    category    text COLLATE "C" NOT NULL,
    type        text NOT NULL,
    data        json,           -- null if the data is bytes
    data_bytes  bytea,          -- null if the data is JSON
    metadata    jsonb,
    routing_key text COLLATE "C",
    tags        jsonb,
    recorded_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX event_stream_version ON event (stream, version);
CREATE UNIQUE INDEX event_id ON event (id);
CREATE INDEX event_category_position ON event (category, position);
CREATE INDEX event_routing_key_position ON event (routing_key, position) WHERE routing_key IS NOT NULL;

CREATE TABLE stream (
    stream   text COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL,
    position text COLLATE "C" NOT NULL
);

CREATE TABLE request (
    request_id text COLLATE "C" PRIMARY KEY,
    txn_id     text COLLATE "C" NOT NULL,
    execute_at text COLLATE "C" NOT NULL,
    hash       bytea NOT NULL,
    committed  boolean NOT NULL,
    refusal    json             -- of a request that did not commit: why
);
CREATE INDEX request_txn_id ON request (txn_id);

CREATE TABLE subscriber (
    key    text COLLATE "C" PRIMARY KEY,
    worker text NOT NULL,
    cursor text COLLATE "C" NOT NULL,
    lag    bigint NOT NULL
);

CREATE TABLE snapshot (
    stream  text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    data    bytea NOT NULL,
    PRIMARY KEY (stream, name)
);

CREATE TABLE accord_txn (
    txn_id          text COLLATE "C" PRIMARY KEY,
    status          text NOT NULL,
    keys            json,
    events_data     bytea,
    execute_at      text COLLATE "C",
    promised        text COLLATE "C",
    accepted_ballot text COLLATE "C",
    vote            text COLLATE "C",
    vote_fast       boolean NOT NULL,
    vote_rejected   boolean NOT NULL,
    accepted_deps   bytea,
    deps            bytea,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX accord_txn_status ON accord_txn (status) WHERE status <> 'applied';
CREATE INDEX accord_txn_execute_at ON accord_txn (execute_at);

CREATE TABLE node (
    one              integer PRIMARY KEY CHECK (one = 1),
    cluster          text NOT NULL,
    name             text NOT NULL,
    nodes            json NOT NULL,
    incarnation      bigint NOT NULL,
    hlc_limit        bigint NOT NULL DEFAULT 0,
    epoch            bigint NOT NULL DEFAULT 0,
    conflict_floor   text,
    reject_floor     text,
    frontier         text,      -- the protocol's watermark
    redundant_before text
);

-- +goose Down
DROP TABLE event, stream, request, subscriber, snapshot, accord_txn, node;
