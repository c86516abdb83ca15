-- How the tweets of all zones stand, so that every replica knows whether more of them
-- are missing than ever go at once. A row an hour, written only while tweets are missing
-- and every few minutes.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.population (
    hour        timestamptz PRIMARY KEY, -- engine time, as all below
    live        bigint NOT NULL,         -- most tweets looked after at one time within the hour
    missing     bigint NOT NULL,         -- at measured_at, as the next
    gone        bigint NOT NULL,         -- called gone in the hours before
    held_since  timestamptz,             -- deletions are held since then; null: they are not
    measured_at timestamptz NOT NULL
);
