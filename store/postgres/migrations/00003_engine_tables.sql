-- Tables that are the engine's alone. Their schema is not exposed by the
-- product's REST layer.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.clock (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    private     boolean NOT NULL DEFAULT false, -- made by "gorgone up" for itself
    database_at timestamptz,                    -- a moment in database time
    engine_at   timestamptz,                    -- the same moment in engine time
    speed       double precision NOT NULL DEFAULT 1 CHECK (speed > 0)
);

-- One row a claimed batch: how much is outstanding, and how fast it is done,
-- without an index on the claim columns of tracking.
CREATE TABLE IF NOT EXISTS gorgone.batches (
    claim_id      uuid PRIMARY KEY,
    claimed_at    timestamptz NOT NULL,
    claimed_until timestamptz NOT NULL,
    tweets        integer NOT NULL,
    rows          integer NOT NULL,
    open_rows     integer NOT NULL,           -- rows not answered or given back yet
    found         integer NOT NULL DEFAULT 0, -- tweets
    missing       integer NOT NULL DEFAULT 0,
    unresolved    integer NOT NULL DEFAULT 0,
    skipped       integer NOT NULL DEFAULT 0, -- rows given back, refreshed or deleted in between
    done_at       timestamptz
);

CREATE INDEX IF NOT EXISTS batches_open ON gorgone.batches (claimed_until) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS batches_done ON gorgone.batches (done_at) WHERE done_at IS NOT NULL;
