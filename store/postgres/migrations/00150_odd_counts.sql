-- How many tweets of a batch had counters that could not be read, or were not believed: a
-- share of them is a fault of the provider that people are told of.

-- +goose Up
ALTER TABLE gorgone.batches ADD COLUMN IF NOT EXISTS odd_counts int NOT NULL DEFAULT 0;
