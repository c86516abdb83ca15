-- A rule can be switched off and on again.

-- +goose Up
ALTER TABLE gorgone.alert_rules ADD COLUMN IF NOT EXISTS enabled boolean NOT NULL DEFAULT true;
