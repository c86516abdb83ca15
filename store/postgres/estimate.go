package postgres

// EstimateRows is the planner's estimate of the number of tracking rows: -1 before
// the first vacuum or analyze.
const EstimateRows = `
	select reltuples::int8 from pg_class where oid = to_regclass('public.twitter_engagement_tracking')`
