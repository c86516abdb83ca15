-- What has been entered into the ledger, what is set aside, and sums that need not be
-- taken again.

-- +goose Up
SET LOCAL lock_timeout = '10s';

-- The names of entries of spending, kept longer than these, so that one that is written
-- again, at whatever time, is entered once.
CREATE TABLE IF NOT EXISTS gorgone.bills (
    bill uuid PRIMARY KEY,
    at   timestamptz NOT NULL -- engine time
);
CREATE INDEX IF NOT EXISTS bills_at ON gorgone.bills (at);
INSERT INTO gorgone.bills (bill, at)
    SELECT bill, max(at) FROM gorgone.spending WHERE bill IS NOT NULL GROUP BY bill
    ON CONFLICT DO NOTHING;

-- Tweets that count as spent although the ledger does not have them.
CREATE TABLE IF NOT EXISTS gorgone.set_aside (
    id      uuid PRIMARY KEY,
    at      timestamptz NOT NULL, -- engine time, as until
    refresh boolean NOT NULL,
    tweets  integer NOT NULL,
    until   timestamptz           -- for a call that is under way, until then; null: a call was made whose answer was lost, and may have been billed
);

-- Credits by the ledger from before base_day, so that the next sum begins there.
ALTER TABLE gorgone.balances
    ADD COLUMN IF NOT EXISTS base_day date,
    ADD COLUMN IF NOT EXISTS base     double precision;
