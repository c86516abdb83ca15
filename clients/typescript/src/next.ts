/** What the handler uses of the client that `createServerClient` of `@supabase/ssr` returns. */
export interface SupabaseSession {
  auth: {
    getSession(): Promise<{ data: { session: { access_token: string } | null } }>
  }
}

/** Whom the handler passes calls on to, and for whom. */
export type RouteHandlerOptions = {
  /** Address of `gorgone web`, as this server reaches it. */
  baseUrl: string
} & (
  | {
      /** Returns the client of `@supabase/ssr` for the request's cookies. Gorgone checks its token. */
      supabase: () => SupabaseSession | Promise<SupabaseSession>
    }
  | {
      /** Returns the token to call with; undefined: nobody is signed in. */
      token: (request: Request) => string | undefined | Promise<string | undefined>
    }
)

type Handler = (request: Request) => Promise<Response>

const prefix = '/api/twitter/'

/** What is passed on of a request. Cookies and credentials of the browser are not. */
const requestHeaders = [
  'accept',
  'content-type',
  'idempotency-key',
  'if-none-match',
  'last-event-id',
  'traceparent',
  'user-agent',
  'x-forwarded-for',
]

/** What is passed on of an answer. */
const responseHeaders = [
  'cache-control',
  'content-disposition',
  'content-type',
  'etag',
  'location',
  'retry-after',
  'x-accel-buffering',
  'x-request-id',
]

/**
 * Makes the handlers of `app/api/twitter/[...path]/route.ts`. They pass calls
 * and the event stream on to Gorgone with the token of the session, which
 * scripts of the page never see, and refuse calls from pages of other sites.
 */
export function createRouteHandler(options: RouteHandlerOptions): { GET: Handler; POST: Handler } {
  const handle: Handler = async (request) => {
    const { pathname, search } = new URL(request.url)
    const start = pathname.indexOf(prefix) // after the basePath of the application, if it has one
    if (start < 0) return fault(404, 'not_found', `the handler belongs at ${prefix}`)
    if (isForeign(request)) return fault(403, 'other_origin', 'pages of other sites may not call')
    const token = await tokenOf(options, request)
    if (!token) return fault(401, 'no_credentials', 'sign in first')

    // Not before the first request: where the application is built the address may not be set.
    const { origin, protocol } = new URL(options.baseUrl)
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError('baseUrl is no http address')
    const headers = pick(request.headers, requestHeaders)
    headers.set('authorization', `Bearer ${token}`)
    let answer: Response
    try {
      answer = await fetch(origin + pathname.slice(start) + search, {
        method: request.method,
        headers,
        body: request.body,
        duplex: 'half', // the body is passed on while it is read
        signal: request.signal, // a browser that leaves ends its stream
        redirect: 'manual',
        cache: 'no-store',
      } as RequestInit)
    } catch {
      if (request.signal.aborted) return new Response(null, { status: 499 }) // nobody reads it
      return fault(502, 'unreachable', 'Gorgone can not be reached')
    }
    const passed = pick(answer.headers, responseHeaders)
    // Next.js compresses what it may, and keeps events back until its buffer is full.
    if (answer.headers.get('content-type')?.startsWith('text/event-stream')) {
      passed.set('cache-control', 'no-store, no-transform')
    }
    return new Response(answer.body, { status: answer.status, headers: passed })
  }
  return { GET: handle, POST: handle }
}

async function tokenOf(options: RouteHandlerOptions, request: Request): Promise<string | undefined> {
  if ('token' in options) return options.token(request)
  const { data } = await (await options.supabase()).auth.getSession()
  return data.session?.access_token
}

/**
 * Reports whether a page of another site makes the request. Its cookies would
 * go with it, and a refresh costs money. Following a link is not making a
 * request: it only reads.
 */
function isForeign({ headers, method }: Request): boolean {
  const reads = method === 'GET' || method === 'HEAD'
  const site = headers.get('sec-fetch-site')
  if (site) return site !== 'same-origin' && site !== 'none' && !(reads && headers.get('sec-fetch-mode') === 'navigate')
  const from = headers.get('origin')
  if (!from) return false // no browser, or one that reads its own site
  return !URL.canParse(from) || new URL(from).host !== (headers.get('x-forwarded-host') ?? headers.get('host'))
}

function pick(from: Headers, names: string[]): Headers {
  const to = new Headers()
  for (const name of names) {
    const value = from.get(name)
    if (value !== null) to.set(name, value)
  }
  return to
}

/** An answer of the form that Gorgone's have. */
function fault(status: number, code: string, error: string): Response {
  const body = { success: false, error, code, request_id: '', timestamp: new Date().toISOString() }
  return Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
}
