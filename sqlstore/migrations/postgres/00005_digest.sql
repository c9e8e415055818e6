-- +goose Up
CREATE TABLE digest (
    events   bigint PRIMARY KEY,         -- how many, from the log's beginning
    position text COLLATE "C" NOT NULL,  -- of the last of them
    sum      text NOT NULL               -- of all of them, SHA-256 in hex
);

-- +goose Down
DROP TABLE digest;
