-- A snapshot whose counts came inside another tweet (a quote, a retweet), in an answer or a
-- delivery, cost nothing and was no look-up. It is marked.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_history
    -- True on such a snapshot, null on every other.
    ADD COLUMN IF NOT EXISTS pushed boolean;

ALTER TABLE public.twitter_engagement_tracking
    -- When a reply or quote that came by itself last brought the next look-up forward. Once
    -- between two look-ups: later ones than last_updated_at do nothing more.
    ADD COLUMN IF NOT EXISTS signalled_at timestamptz;
