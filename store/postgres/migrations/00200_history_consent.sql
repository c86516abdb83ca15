-- Who agreed to the removal of old history. One row at most.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.history_consent (
    id       int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    given_by text NOT NULL,
    given_at timestamptz NOT NULL -- engine time
);
