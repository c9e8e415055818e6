-- +goose Up
-- A stream's head is the last of its events, and the index of these finds it: no row has to be kept beside them.
DROP TABLE stream;
CREATE VIEW stream AS SELECT DISTINCT ON (stream) stream, version, position FROM event ORDER BY stream, version DESC;

-- +goose Down
DROP VIEW stream;

CREATE TABLE stream (
    stream   text COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL,
    position text COLLATE "C" NOT NULL
);

INSERT INTO stream SELECT DISTINCT ON (stream) stream, version, position FROM event ORDER BY stream, version DESC;
