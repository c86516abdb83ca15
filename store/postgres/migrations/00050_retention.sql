-- How far the thinning of old history has come, and vacuum settings for the
-- tables that are written most.

-- +goose Up
SET LOCAL lock_timeout = '10s';

-- One row a day whose history was thinned, or is being thinned.
CREATE TABLE IF NOT EXISTS gorgone.history_days (
    day    date PRIMARY KEY,
    grain  text NOT NULL CHECK (grain IN ('hour', 'day')), -- one point a tweet is left for each
    slices integer NOT NULL DEFAULT 0,                     -- of its tweets, done so far
    done   boolean NOT NULL DEFAULT false
);

-- Every batch is a row that is inserted, updated a few times and deleted within
-- two leases; dispatches read the few that are open.
ALTER TABLE gorgone.batches SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000
);

-- Settings of vacuum change no row and block nobody. Also of an adopted table,
-- where its owner has not set them: with Postgres's own, a fifth of a table is
-- dead before it is looked at, and the head of the due index is searched through
-- the dead entries at every claim.
-- +goose StatementBegin
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('public.twitter_engagement_tracking', 'autovacuum_vacuum_scale_factor', '0.02'),
            ('public.twitter_engagement_tracking', 'autovacuum_vacuum_threshold', '1000'),
            ('public.twitter_engagement_tracking', 'autovacuum_analyze_scale_factor', '0.02'),
            ('public.twitter_tweets', 'autovacuum_vacuum_scale_factor', '0.05'),
            ('public.twitter_tweets', 'autovacuum_vacuum_threshold', '1000'),
            -- Only where history is one table: what retention deletes there.
            ('public.twitter_engagement_history', 'autovacuum_vacuum_scale_factor', '0.02')
        ) v (relation, name, value)
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_class c
            WHERE c.oid = to_regclass(wanted.relation)
            AND (c.relkind <> 'r' -- a partitioned table has no rows of its own
                OR EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = wanted.name)));
        EXECUTE format('ALTER TABLE %s SET (%I = %s)', wanted.relation, wanted.name, wanted.value);
    END LOOP;
END $$;
-- +goose StatementEnd
