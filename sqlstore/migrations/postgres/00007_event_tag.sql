-- +goose Up
CREATE TABLE event_tag (
    tag      text COLLATE "C" NOT NULL,
    position text COLLATE "C" NOT NULL, -- of an event with it
    PRIMARY KEY (tag, position)
);
INSERT INTO event_tag (tag, position) SELECT DISTINCT j.value, e.position FROM event e, jsonb_array_elements_text(e.tags) j WHERE e.tags IS NOT NULL;

-- +goose Down
DROP TABLE event_tag;
