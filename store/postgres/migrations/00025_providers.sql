-- Which provider counts came from. Providers count a little differently, so a
-- step between two of them is marked.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_history
    ADD COLUMN IF NOT EXISTS provider         text,                          -- null: not known
    ADD COLUMN IF NOT EXISTS provider_changed boolean NOT NULL DEFAULT false; -- the snapshot before is another's: deltas are across two providers

ALTER TABLE public.twitter_engagement_tracking
    ADD COLUMN IF NOT EXISTS snapshot_provider text; -- of the last snapshot

-- What a batch cost at the providers, in tweets billed.
ALTER TABLE gorgone.batches
    ADD COLUMN IF NOT EXISTS billed integer NOT NULL DEFAULT 0;
