import { createClient, type components } from '@gorgone/client'

export type Chart = components['schemas']['Chart']['data']

/** Calls /api/twitter/ of this site, which passes them on with the session's token. */
export const gorgone = createClient()
