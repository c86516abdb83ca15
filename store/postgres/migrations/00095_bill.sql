-- What names an entry of spending, so that one whose transaction was committed and
-- whose answer was lost is not entered again when it is tried again.

-- +goose Up
SET LOCAL lock_timeout = '10s';

ALTER TABLE gorgone.spending ADD COLUMN IF NOT EXISTS bill uuid;

CREATE INDEX IF NOT EXISTS spending_bill ON gorgone.spending (bill);
