import { createRouteHandler } from '@gorgone/client/next'
import { accessToken } from '@/lib/session'

export const { GET, POST } = createRouteHandler({ baseUrl: process.env.GORGONE_URL!, token: accessToken })
