-- Whoever sets a budget is told when it runs out, without a rule of their own.

-- +goose Up
INSERT INTO gorgone.alert_rules (id, zone_id, name, kind, threshold, cooldown_s, created_at)
SELECT '6f726700-6e65-4000-8000-000000000002', null, '80% of a budget is spent, or all of it', 'budget', 80, 3600, now()
WHERE NOT EXISTS (SELECT FROM gorgone.alert_rules WHERE kind = 'budget');
