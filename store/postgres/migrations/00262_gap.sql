-- The last stretch in which counters of a tweet could not be read: what they gained in it
-- shows at its end, and was not gained since the look-up before.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE public.twitter_engagement_tracking
    -- {"since", "total", "until", "absent"}: see engagement.Gap. Null on nearly every row.
    ADD COLUMN IF NOT EXISTS gap jsonb;
