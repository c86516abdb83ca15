import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, type ClientOptions, createClient, GorgoneError } from '../src/index.js'
import { broken, Stack } from './stack.js'

let stack: Stack
let client: Client
let rows: string[]

before(async () => {
  stack = await Stack.start()
  client = createClient({ baseUrl: stack.url, token: stack.token })
  rows = await stack.tweets(7)
})
after(() => stack.stop())

/** A client that counts the calls it makes. */
function counting(options: ClientOptions = {}): { client: Client; calls: Request[] } {
  const calls: Request[] = []
  const count = (request: Request) => {
    calls.push(request)
    return fetch(request)
  }
  return { client: createClient({ baseUrl: stack.url, fetch: count, ...options }), calls }
}

function rejected(work: Promise<unknown>): Promise<GorgoneError> {
  return work.then(
    () => assert.fail('it did not fail'),
    (error: unknown) => {
      assert.ok(error instanceof GorgoneError, String(error))
      return error
    },
  )
}

test('typed calls', async () => {
  const { data: top } = await client.get('/api/twitter/engagement/top', { params: { query: { limit: 1 } } })
  const id = top[0]!.id
  const { data: chart } = await client.get('/api/twitter/engagement/{id}', { params: { path: { id }, query: { limit: 5 } } })
  assert.equal(chart.id, id)
  assert.equal(chart.tweet_id, top[0]!.tweet_id)
  const likes: number | null = chart.metrics.like_count
  assert.equal(typeof likes, 'number')
  const csv: string = await client.get('/api/twitter/zones/{zone}/export.csv', {
    params: { path: { zone: chart.zone_id } },
    parseAs: 'text',
  })
  assert.match(csv, new RegExp(chart.tweet_id))
  const { data: session } = await client.get('/api/session')
  assert.equal(session.kind, 'service')
  const done = await client.post('/api/twitter/engagement/update', { body: { limit: 1 } })
  assert.equal(done.success, true)

  // @ts-expect-error: there is no such route
  void (() => client.get('/api/twitter/nothing'))
  // @ts-expect-error: the id is missing
  void (() => client.get('/api/twitter/engagement/{id}'))
  // @ts-expect-error: there is no such order
  void (() => client.get('/api/twitter/engagement/top', { params: { query: { by: 'age' } } }))
  // @ts-expect-error: nobody reads by POST
  void (() => client.post('/api/twitter/overview'))
})

test('typed errors', async () => {
  const missing = '00000000-0000-4000-8000-000000000000'
  const unknown = await rejected(client.get('/api/twitter/engagement/{id}', { params: { path: { id: missing } } }))
  assert.deepEqual([unknown.status, unknown.code, unknown.message], [404, 'not_found', 'there is no such tweet'])
  assert.ok(unknown.requestId)
  const nobody = await rejected(createClient({ baseUrl: stack.url }).get('/api/session'))
  assert.deepEqual([nobody.status, nobody.code], [401, 'no_credentials'])
  const closed = createClient({ baseUrl: 'http://127.0.0.1:1' })
  await assert.rejects(closed.get('/healthz'), TypeError)
})

test('an error that is not of Gorgone', async (t) => {
  const proxy = await broken((_, res) => res.writeHead(502, { 'X-Request-Id': 'of the proxy' }).end('<h1>Bad gateway</h1>'))
  t.after(proxy.close)
  const error = await rejected(createClient({ baseUrl: proxy.url }).get('/healthz'))
  assert.deepEqual([error.status, error.code, error.message], [502, undefined, 'the answer is 502 Bad Gateway'])
  assert.equal(error.requestId, 'of the proxy')
})

test('a refresh', async () => {
  const tweet = await client.refresh(rows[0]!, { force: true })
  assert.equal(tweet.id, rows[0])
  const { data: chart } = await client.get('/api/twitter/engagement/{id}', { params: { path: { id: rows[0]! } } })
  assert.equal(chart.last_updated, tweet.last_updated)
  assert.deepEqual(chart.metrics, tweet.metrics)
})

test('a refresh that takes longer than the server waits', async () => {
  const urls: string[] = []
  const impatient = createClient({
    baseUrl: stack.url,
    token: stack.token,
    fetch: (request) => {
      const url = new URL(request.url)
      urls.push(url.pathname)
      if (request.method === 'POST') url.searchParams.set('wait', '0s') // answered with 202
      return fetch(new Request(url, request))
    },
  })
  const tweet = await impatient.refresh(rows[1]!, { force: true })
  assert.equal(tweet.id, rows[1])
  assert.match(urls[1] ?? 'it did not ask again', /\/refresh\/[0-9a-f-]{36}$/)
})

test('429 is retried when its Retry-After says', async () => {
  const { client: user, calls } = counting({ token: stack.supabase.issue(await stack.user()) })
  await user.refresh(rows[2]!, { force: true })
  const tweet = await user.refresh(rows[3]!, { force: true }) // within two seconds
  assert.equal(tweet.id, rows[3])
  assert.equal(calls.length, 3)
})

test('429 is thrown when it is not to be retried', async () => {
  const { client: user, calls } = counting({ token: stack.supabase.issue(await stack.user()) })
  await user.refresh(rows[4]!, { force: true })
  const limited = await rejected(user.refresh(rows[5]!, { force: true, retry: false }))
  assert.deepEqual([limited.status, limited.code], [429, 'limit'])
  assert.ok(limited.retryAfter! > 0 && limited.retryAfter! <= 2000, String(limited.retryAfter))
  await rejected(user.refresh(rows[5]!, { force: true, retry: { maxWait: 500 } }))
  assert.equal(calls.length, 3)
})

test('a wait for a retry is aborted', async () => {
  const leave = new AbortController()
  const options: ClientOptions = {
    baseUrl: stack.url,
    fetch: async () => {
      setImmediate(() => leave.abort(new Error('left')))
      return new Response(null, { status: 503, headers: { 'Retry-After': '20' } })
    },
  }
  await assert.rejects(createClient(options).refresh(rows[6]!, { signal: leave.signal }), /left/)
})

test('retries end, send the body again, and ask for the token again', async (t) => {
  const bodies: string[] = []
  const tokens: (string | undefined)[] = []
  const busy = await broken(async (req, res) => {
    tokens.push(req.headers.authorization)
    bodies.push(Buffer.concat(await req.toArray()).toString())
    res.writeHead(503, { 'Retry-After': '0' }).end()
  })
  t.after(busy.close)
  let issued = 0
  const stubborn = createClient({ baseUrl: busy.url, token: async () => `t${++issued}`, retry: { attempts: 4 } })
  const error = await rejected(stubborn.post('/api/twitter/engagement/update', { body: { limit: 7 } }))
  assert.deepEqual([error.status, error.retryAfter], [503, 0])
  assert.deepEqual(bodies, Array(4).fill('{"limit":7}'))
  assert.deepEqual(tokens, ['Bearer t1', 'Bearer t2', 'Bearer t3', 'Bearer t4'])
})

test('503 without a Retry-After is not retried', async (t) => {
  let calls = 0
  const away = await broken((_, res) => {
    calls++
    res.writeHead(503).end()
  })
  t.after(away.close)
  await rejected(createClient({ baseUrl: away.url }).get('/healthz'))
  assert.equal(calls, 1)
})
