-- +goose Up
CREATE TABLE digest (
    events   integer NOT NULL PRIMARY KEY, -- how many, from the log's beginning
    position text NOT NULL,                -- of the last of them
    sum      text NOT NULL                 -- of all of them, SHA-256 in hex
) STRICT;

-- +goose Down
DROP TABLE digest;
