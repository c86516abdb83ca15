-- Trials of the adaptive schedule beside the tiers, on a random half of a zone's tweets.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.trials (
    zone_id     uuid PRIMARY KEY,          -- the latest trial of each zone
    seed        text NOT NULL,             -- tells the halves: lowest bit of the first byte of sha256(seed:tweet id)
    started_by  text NOT NULL,
    forced      boolean NOT NULL,          -- begun without a gain in the zone's history
    starts_at   timestamptz NOT NULL,      -- engine time, as all below; tweets posted before take no part
    ends_at     timestamptz NOT NULL,
    stopped     boolean NOT NULL,          -- by hand: ends_at is when
    price       double precision NOT NULL CHECK (price > 0), -- what a look-up of the half that is tried must be worth
    priced_at   timestamptz NOT NULL,      -- the price was last moved
    lives       double precision NOT NULL, -- lives of tweets, and look-ups, that it was moved by; see engagement.SameSpend
    lookups     double precision NOT NULL,
    report      jsonb,
    reported_at timestamptz                -- of the state at that time; from ends_at on it stays
);
