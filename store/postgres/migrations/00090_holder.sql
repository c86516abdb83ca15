-- Who works on a batch that came to more than one worker. Null for nearly all: it is
-- written only when a message is delivered again, or when the queue is away under a
-- call.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE gorgone.batches
    ADD COLUMN IF NOT EXISTS holder     uuid,        -- of one delivery of the batch
    ADD COLUMN IF NOT EXISTS held_until timestamptz; -- engine time before which nobody takes it over
