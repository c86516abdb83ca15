-- The days of an old month become one partition. Their points are copied while they may
-- still be written to, so what is written meanwhile is noted and copied again.

-- +goose Up
-- The month that is being merged. One row at most.
CREATE TABLE IF NOT EXISTS gorgone.history_merge (
    id          int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    month       date NOT NULL,             -- its first day
    days        date[] NOT NULL,           -- those that have a partition, in order
    copied      int NOT NULL DEFAULT 0,    -- how many of them are copied
    tweet_id    uuid,                      -- the last point that is copied of the next one;
    snapshot_at timestamptz,               -- null: none is
    point       uuid
);

-- Points of these days that were written since.
CREATE TABLE IF NOT EXISTS gorgone.history_changes (
    n           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    point       uuid NOT NULL,
    snapshot_at timestamptz NOT NULL
);

-- The function of the triggers that the days have meanwhile. It has its owner's rights, as
-- whoever writes to the product's tables need have none on these.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION gorgone.note_history_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM gorgone.history_merge; -- it begins again
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO gorgone.history_changes (point, snapshot_at) VALUES (OLD.id, OLD.snapshot_at);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO gorgone.history_changes (point, snapshot_at) VALUES (NEW.id, NEW.snapshot_at);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
