-- The secret that a webhook had before it was rotated, which signs beside the new one
-- for a while.

-- +goose Up
ALTER TABLE gorgone.webhooks
    ADD COLUMN IF NOT EXISTS previous_secret text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS previous_until  timestamptz; -- engine time

COMMENT ON COLUMN gorgone.webhooks.previous_secret IS 'SECRET: signs what is sent. Keep it out of what you share of this database.';
