-- Caps on what zones and clients may spend. Those of a zone are in its settings, under
-- "budget"; the table of clients is the product's and has no place for them.

-- +goose Up
SET LOCAL lock_timeout = '10s';

CREATE TABLE IF NOT EXISTS gorgone.client_budgets (
    client_id  uuid PRIMARY KEY,
    budget     jsonb NOT NULL,        -- day, month, soft_day, soft_month (dollars), weight
    changed_at timestamptz NOT NULL,  -- engine time
    changed_by text NOT NULL
);

-- Tweets that count as spent by each zone with a cap: {zone id: tweets}. Null: of none.
ALTER TABLE gorgone.batches ADD COLUMN IF NOT EXISTS shares jsonb;
ALTER TABLE gorgone.set_aside ADD COLUMN IF NOT EXISTS shares jsonb;
