-- A look-up that finds the counts of the last snapshot adds no point to the history: the
-- tracking row alone says how long they have held. What ends such a stretch is written to
-- the history with the first point after it.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_tracking
    -- The time of the last snapshot (snapshot_at), when that is not in the history because
    -- it says the same as the point before. Any other value, such as one that an older
    -- version of the program has left behind, means nothing.
    ADD COLUMN IF NOT EXISTS unrecorded_at timestamptz;
