import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createClient } from '../src/index.js'
import { createRouteHandler } from '../src/next.js'
import { broken, Stack } from './stack.js'

let stack: Stack
let token: string
let row: string

before(async () => {
  stack = await Stack.start()
  token = stack.supabase.issue(await stack.user())
  ;[row] = (await stack.tweets(1)) as [string]
})
after(() => stack.stop())

const site = 'https://app.example.com'
const signedIn = (access_token: string) => () => ({ auth: { getSession: async () => ({ data: { session: { access_token } } }) } })
const handler = (baseUrl = stack.url) => createRouteHandler({ baseUrl, supabase: signedIn(token) })

test('a page calls through the handler without a token', async () => {
  const { GET, POST } = handler()
  const page = createClient({
    baseUrl: site,
    fetch: (request) => (request.method === 'POST' ? POST(request) : GET(request)),
  })
  const tweet = await page.refresh(row)
  assert.equal(tweet.id, row)
  for await (const event of page.events()) if (event.type === 'hello') break
})

test('what is passed on of an answer', async () => {
  const { GET } = handler()
  const chart = await GET(new Request(`${site}/api/twitter/engagement/${row}`))
  assert.equal(chart.status, 200)
  for (const [name, value] of chart.headers) {
    assert.ok(!value.includes(token), name)
    assert.ok(!['set-cookie', 'content-length', 'content-encoding'].includes(name), name)
  }
  assert.ok(chart.headers.get('x-request-id'))
  const missing = await GET(new Request(`${site}/api/twitter/engagement/00000000-0000-4000-8000-000000000000`))
  assert.equal(missing.status, 404)
  const csv = await GET(new Request(`${site}/base/api/twitter/engagement/${row}.csv`))
  assert.match(csv.headers.get('content-type')!, /^text\/csv/)
  const leave = new AbortController()
  const stream = await GET(new Request(`${site}/api/twitter/engagement/events`, { signal: leave.signal }))
  assert.match(stream.headers.get('cache-control')!, /no-transform/) // or Next.js compresses it
  leave.abort()
})

test('what is passed on of a request', async (t) => {
  let seen: Record<string, unknown> = {}
  const echo = await broken(async (req, res) => {
    seen = { url: req.url, method: req.method, headers: req.headers, body: Buffer.concat(await req.toArray()).toString() }
    res.end('{}')
  })
  t.after(echo.close)
  await handler(echo.url).POST(
    new Request(`${site}/api/twitter/tweets/${row}/refresh?force=true`, {
      method: 'POST',
      body: '{"a":1}',
      headers: {
        Cookie: 'sb-ref-auth-token=secret', Authorization: 'Bearer of-the-page', 'X-API-Key': 'k', 'Upstash-Signature': 's',
        'Content-Type': 'application/json', 'Idempotency-Key': 'i', 'X-Forwarded-For': '192.0.2.1',
      },
    }),
  )
  const headers = seen.headers as Record<string, string>
  assert.deepEqual([seen.method, seen.url, seen.body], ['POST', `/api/twitter/tweets/${row}/refresh?force=true`, '{"a":1}'])
  assert.equal(headers.authorization, `Bearer ${token}`)
  assert.deepEqual([headers.cookie, headers['x-api-key'], headers['upstash-signature']], [undefined, undefined, undefined])
  assert.deepEqual([headers['idempotency-key'], headers['x-forwarded-for']], ['i', '192.0.2.1'])
})

test('who is refused', async () => {
  const { GET, POST } = handler()
  const anonymous = createRouteHandler({ baseUrl: stack.url, token: () => undefined })
  const refresh = `${site}/api/twitter/tweets/${row}/refresh`
  const rows: [what: string, answer: Promise<Response>, status: number][] = [
    ['nobody', anonymous.GET(new Request(refresh)), 401],
    ['another path', GET(new Request(`${site}/api/session`)), 404],
    ['a way out of the path', GET(new Request(`${site}/api/twitter/../session/code`)), 404],
    ['another site', POST(new Request(refresh, { method: 'POST', headers: { 'Sec-Fetch-Site': 'cross-site' } })), 403],
    ['a neighbour', GET(new Request(refresh, { headers: { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' } })), 403],
    ['another origin', POST(new Request(refresh, { method: 'POST', headers: { Origin: 'https://evil.example', Host: 'app.example.com' } })), 403],
    ['an origin that hides', POST(new Request(refresh, { method: 'POST', headers: { Origin: 'null', Host: 'app.example.com' } })), 403],
    ['a form', POST(new Request(refresh, { method: 'POST', headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' } })), 403],
    ['a link', GET(new Request(refresh, { headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' } })), 200],
    ['the page', GET(new Request(refresh, { headers: { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' } })), 200],
    ['its older browser', GET(new Request(refresh, { headers: { Origin: site, Host: 'app.example.com' } })), 200],
    ['it behind a proxy', GET(new Request(refresh, { headers: { Origin: site, Host: '10.0.0.1:3000', 'X-Forwarded-Host': 'app.example.com' } })), 200],
  ]
  for (const [what, answer, status] of rows) assert.equal((await answer).status, status, what)
})

test('Gorgone away', async () => {
  const answer = await handler('http://127.0.0.1:1').GET(new Request(`${site}/api/twitter/overview`))
  assert.equal(answer.status, 502)
  assert.equal(((await answer.json()) as { code: string }).code, 'unreachable')
  await assert.rejects(handler('ftp://example.com').GET(new Request(`${site}/api/twitter/overview`)), TypeError)
})
