-- +goose Up
CREATE TABLE event_tag (
    tag      text NOT NULL,
    position text NOT NULL, -- of an event with it
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
INSERT INTO event_tag (tag, position) SELECT DISTINCT j.value, e.position FROM event e, json_each(e.tags) j WHERE e.tags IS NOT NULL;

-- +goose Down
DROP TABLE event_tag;
