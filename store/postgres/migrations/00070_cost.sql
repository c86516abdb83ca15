-- What look-ups cost, by day, provider and zone.

-- +goose Up
-- One row a zone and batch, only ever added, so that batches that are written at
-- the same time do not wait for each other. Housekeeping adds them to the ledger.
CREATE TABLE IF NOT EXISTS gorgone.spending (
    at       timestamptz NOT NULL,      -- engine time
    provider text NOT NULL,
    zone_id  uuid,                      -- null: of no zone, such as a call that failed
    refresh  boolean NOT NULL,          -- somebody asked for it
    calls    double precision NOT NULL, -- shares of calls: a call serves many zones
    tweets   double precision NOT NULL  -- tweets billed, likewise
);

CREATE INDEX IF NOT EXISTS spending_at ON gorgone.spending (at);

CREATE TABLE IF NOT EXISTS gorgone.ledger (
    day      date NOT NULL,             -- in UTC, as providers count
    provider text NOT NULL,
    zone_id  uuid NOT NULL,             -- all zeros: of no zone
    refresh  boolean NOT NULL,
    calls    double precision NOT NULL,
    tweets   double precision NOT NULL,
    credits  double precision NOT NULL, -- at the price of that day
    dollars  double precision NOT NULL,
    PRIMARY KEY (day, provider, zone_id, refresh)
);

-- The provider's own word: what was left in the account, to hold the ledger against.
CREATE TABLE IF NOT EXISTS gorgone.balances (
    provider text NOT NULL,
    at       timestamptz NOT NULL,      -- engine time
    credits  double precision NOT NULL,
    booked   double precision NOT NULL, -- credits by the ledger up to then, ever
    PRIMARY KEY (provider, at)
);

-- What the adaptive schedule goes by.
CREATE TABLE IF NOT EXISTS gorgone.models (
    zone_id   uuid PRIMARY KEY,        -- all zeros: of all zones
    model     jsonb NOT NULL,
    quartiles double precision[] NOT NULL,
    tweets    integer NOT NULL,        -- that it was learnt from
    fitted_at timestamptz NOT NULL
);

-- What a look must be worth, moved so that spending meets the budget.
CREATE TABLE IF NOT EXISTS gorgone.look_price (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    price       double precision NOT NULL CHECK (price > 0),
    adjusted_at timestamptz NOT NULL,
    spent_today double precision NOT NULL -- dollars, at that moment
);

-- The running estimate of a tweet's pace, and the forecast made of it.
SET LOCAL lock_timeout = '10s';
ALTER TABLE public.twitter_engagement_tracking ADD COLUMN IF NOT EXISTS activity jsonb;
ALTER TABLE public.twitter_tweets ADD COLUMN IF NOT EXISTS predictions jsonb;
