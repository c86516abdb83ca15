package postgres

// ActiveZone is the condition, of a row z of public.zones, that the tweets of the zone are
// looked up and shown: neither the zone nor its client is inactive. Null is active.
const ActiveZone = `(coalesce(z.is_active, true) and not exists (
	select from public.clients c where c.id = z.client_id and not coalesce(c.is_active, true)))`
