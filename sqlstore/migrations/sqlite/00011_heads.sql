-- +goose Up
-- A stream's head is the last of its events, and the index of these finds it: no row has to be kept beside them.
DROP TABLE stream;
CREATE VIEW stream AS SELECT stream, max(version) AS version, position FROM event GROUP BY stream;

-- +goose Down
DROP VIEW stream;
CREATE TABLE stream (
    stream   text NOT NULL PRIMARY KEY,
    version  integer NOT NULL,
    position text NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO stream SELECT stream, max(version), position FROM event GROUP BY stream;
