-- What people have stopped, until when. It is here and not in NATS, so that a
-- wiped queue does not start what somebody stopped.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.pauses (
    lane   text PRIMARY KEY CHECK (lane IN ('batches', 'refreshes')),
    until  timestamptz,          -- engine time; null: until somebody resumes it
    reason text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL  -- engine time
);
