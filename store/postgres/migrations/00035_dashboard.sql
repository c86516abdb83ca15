-- What the dashboard reads.

-- +goose Up
SET LOCAL lock_timeout = '10s';

-- Velocity at the last snapshot, so that a list of many tweets can be ordered by
-- it without a look into the history of each. Null until the next snapshot of a
-- row that was there before.
ALTER TABLE public.twitter_engagement_tracking
    ADD COLUMN IF NOT EXISTS snapshot_velocity double precision;

-- Of the calls that a batch took.
ALTER TABLE gorgone.batches
    ADD COLUMN IF NOT EXISTS failed_calls integer NOT NULL DEFAULT 0;
