-- Whether tweets were tracked here while SCHEDULE was tiers where nothing else was said:
-- such an installation keeps the tiers, whatever the default becomes.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.installation (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    tiers_default boolean NOT NULL
);

INSERT INTO gorgone.installation (tiers_default)
SELECT EXISTS (SELECT FROM public.twitter_engagement_tracking)
ON CONFLICT DO NOTHING;
