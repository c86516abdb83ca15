-- Why calls were made, and what a provider charges once a day.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE gorgone.spending ADD COLUMN IF NOT EXISTS kind text; -- control or retry; null: what the schedule or a user wanted

ALTER TABLE gorgone.ledger ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'schedule'; -- schedule, refresh, control or retry
UPDATE gorgone.ledger SET kind = 'refresh' WHERE refresh;
ALTER TABLE gorgone.ledger DROP CONSTRAINT IF EXISTS ledger_pkey;
ALTER TABLE gorgone.ledger ADD PRIMARY KEY (day, provider, zone_id, refresh, kind);

-- Tweets that a provider with a day pass has charged a key for.
CREATE TABLE IF NOT EXISTS gorgone.day_passes (
    day      date   NOT NULL, -- in UTC, as providers count
    key_id   text   NOT NULL, -- names the API key without giving it away
    tweet_id bigint NOT NULL,
    PRIMARY KEY (day, key_id, tweet_id)
);
