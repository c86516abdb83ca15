-- Which zones a client with caps has, and had this month: what they have spent stays the
-- client's when one is deleted or given away.

-- +goose Up
CREATE TABLE IF NOT EXISTS gorgone.client_zones (
    client_id uuid NOT NULL,
    zone_id   uuid NOT NULL,
    left_on   date,          -- UTC; null: it is the client's
    PRIMARY KEY (client_id, zone_id)
);
