-- What the engine keeps on a tracking row beyond the product's columns.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_tracking
    -- The lease: who holds the row, until when. In no index, so that a claim
    -- rewrites the row in place.
    ADD COLUMN IF NOT EXISTS claim_id           uuid,
    ADD COLUMN IF NOT EXISTS claimed_until      timestamptz,
    -- Failures and misses since the last answer.
    ADD COLUMN IF NOT EXISTS retry_at           timestamptz,
    ADD COLUMN IF NOT EXISTS attempts           integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS misses             integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS last_missed_at     timestamptz,
    ADD COLUMN IF NOT EXISTS gone_reason        text,
    -- The last snapshot, so that the next one's deltas need no look into the
    -- history. Null on a row of an adopted database until its first answer.
    ADD COLUMN IF NOT EXISTS snapshot_at        timestamptz,
    ADD COLUMN IF NOT EXISTS snapshot_retweets  integer,
    ADD COLUMN IF NOT EXISTS snapshot_replies   integer,
    ADD COLUMN IF NOT EXISTS snapshot_likes     integer,
    ADD COLUMN IF NOT EXISTS snapshot_quotes    integer,
    ADD COLUMN IF NOT EXISTS snapshot_views     integer,
    ADD COLUMN IF NOT EXISTS snapshot_bookmarks integer;
