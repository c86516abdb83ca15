-- When a missing tweet counts as deleted.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_tracking
    -- Answers in a row that lacked the tweet and do not count as misses.
    ADD COLUMN IF NOT EXISTS doubts integer NOT NULL DEFAULT 0;

-- How often tweets go between two looks, over all replicas: looks and misses, of
-- which the older ones weigh less.
CREATE TABLE IF NOT EXISTS gorgone.norm (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    looks    double precision NOT NULL,
    misses   double precision NOT NULL,
    at       timestamptz NOT NULL
);

-- Tweets that a batch asked for only to see whether the answers can be believed.
ALTER TABLE gorgone.batches
    ADD COLUMN IF NOT EXISTS controls integer NOT NULL DEFAULT 0;
