import 'server-only'
import { createServerClient } from '@supabase/ssr'
import { cookies } from 'next/headers'

/** The Supabase client of the request's session. Its cookies are not for scripts of the page. */
export async function supabase() {
  const jar = await cookies()
  return createServerClient(process.env.SUPABASE_URL!, process.env.SUPABASE_ANON_KEY!, {
    cookieOptions: { httpOnly: true, secure: process.env.NODE_ENV === 'production' },
    cookies: {
      getAll: () => jar.getAll(),
      setAll: (changed) => changed.forEach(({ name, value, options }) => jar.set(name, value, options)),
    },
  })
}

/** The token that Gorgone is called with. In `next dev`, GORGONE_TOKEN stands in for a user. */
export async function accessToken() {
  if (process.env.NODE_ENV === 'development' && process.env.GORGONE_TOKEN) return process.env.GORGONE_TOKEN
  const { data } = await (await supabase()).auth.getSession()
  return data.session?.access_token
}
