-- The zone of a tracked tweet, beside its due time: a claim shares what it takes
-- out over the zones. It repeats twitter_tweets.zone_id. Null on a row that the
-- product inserted, until the row first falls due.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_tracking
    ADD COLUMN IF NOT EXISTS zone_id uuid;
