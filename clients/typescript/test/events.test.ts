import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, createClient, GorgoneError, type LiveEvent } from '../src/index.js'
import { broken, Stack, Wire } from './stack.js'

let stack: Stack
let service: Client
let rows: string[]

before(async () => {
  stack = await Stack.start()
  service = createClient({ baseUrl: stack.url, token: stack.token })
  rows = await stack.tweets(4)
})
after(() => stack.stop())

/** Reads events up to the first that is wanted, and returns all that it read. */
async function until(events: AsyncGenerator<LiveEvent>, wanted: (event: LiveEvent) => boolean): Promise<LiveEvent[]> {
  const read: LiveEvent[] = []
  for (;;) {
    const { value, done } = await events.next()
    if (done) assert.fail('the stream has ended')
    read.push(value)
    if (wanted(value)) return read
  }
}

/** Refreshes a tweet until an event tells of it: a look-up of the schedule at that moment may have been told of before. */
async function untilRefreshed(events: AsyncGenerator<LiveEvent>, row: string, reading = until(events, about(row))): Promise<LiveEvent[]> {
  await service.refresh(row, { force: true })
  const again = setInterval(() => void service.refresh(row, { force: true }).catch(() => undefined), 5000)
  return reading.finally(() => clearInterval(again))
}

const hello = (event: LiveEvent) => event.type === 'hello'
const about = (id: string) => (event: LiveEvent) =>
  event.type === 'update' && event.data.tweets.some((tweet) => tweet.id === id)

test('events tell of a refresh', async () => {
  const events = service.events()
  await until(events, hello)
  const tweet = await service.refresh(rows[0]!, { force: true })
  const event = (await until(events, about(rows[0]!))).at(-1)!
  assert.ok(event.type === 'update' && event.id !== '')
  const told = event.data.tweets.find((one) => one.id === rows[0])!
  assert.deepEqual(told.metrics, tweet.metrics)
  assert.equal(told.last_updated, tweet.last_updated)
  await events.return()
})

test('what happens while the connection is away follows, each event once', async (t) => {
  const wire = new Wire(stack.url)
  const url = await wire.open()
  t.after(() => wire.close())
  const far = createClient({ baseUrl: url, token: stack.token })
  const events = far.events({ maxPause: 200 })
  await until(events, hello)
  const before = await untilRefreshed(events, rows[1]!)

  wire.down = true
  wire.cut()
  const connections = wire.made
  const reading = until(events, about(rows[2]!))
  await service.refresh(rows[2]!, { force: true })
  await wire.untilMade(connections + 2) // it has tried in vain
  wire.down = false
  const missed = await untilRefreshed(events, rows[2]!, reading)
  assert.ok(missed.some(hello))
  const later = await untilRefreshed(events, rows[3]!)
  await events.return()

  const all = [...before, ...missed, ...later]
  assert.ok(!all.some((event) => event.type === 'reset'))
  const ids = all.filter((event) => event.type !== 'hello').map((event) => event.id)
  assert.equal(new Set(ids).size, ids.length)
})

test('an id that is not known any more brings a reset', async () => {
  const events = service.events({ lastEventId: 'another-process_7' })
  const read = await until(events, (event) => event.type === 'reset')
  assert.deepEqual(read.map((event) => event.type), ['hello', 'reset'])
  await events.return()
})

test('a silent connection counts as dead', async (t) => {
  const wire = new Wire(stack.url)
  const url = await wire.open()
  t.after(() => wire.close())
  const events = createClient({ baseUrl: url, token: stack.token }).events({ idle: 300, maxPause: 50 })
  await until(events, hello)
  wire.silent = true
  const next = events.next()
  await wire.untilMade(3)
  wire.silent = false
  assert.ok(hello((await next).value as LiveEvent))
  await events.return()
})

test('who leaves the loop leaves the server', async (t) => {
  const wire = new Wire(stack.url)
  const url = await wire.open()
  t.after(() => wire.close())
  for await (const event of createClient({ baseUrl: url, token: stack.token }).events()) if (hello(event)) break
  await wire.untilGone()
})

test('the signal ends the loop without an error', async () => {
  const leave = new AbortController()
  let read = 0
  for await (const event of service.events({ signal: leave.signal })) {
    read++
    if (hello(event)) setImmediate(() => leave.abort())
  }
  assert.ok(read > 0)
})

test('an answer that would not change is thrown', async () => {
  const nobody = createClient({ baseUrl: stack.url, token: 'not a token' })
  const error: unknown = await nobody.events().next().catch((error) => error)
  assert.ok(error instanceof GorgoneError && error.status === 401)
})

test('too many streams: it waits for a place', async (t) => {
  const token = stack.supabase.issue(await stack.user())
  const user = createClient({ baseUrl: stack.url, token })
  const taken = Array.from({ length: 20 }, () => user.events())
  t.after(() => Promise.all(taken.map((events) => events.return())))
  await Promise.all(taken.map((events) => until(events, hello)))
  let refused = 0
  const counting = createClient({
    baseUrl: stack.url,
    token,
    fetch: async (request) => {
      const response = await fetch(request)
      if (response.status !== 429) return response
      refused++
      assert.ok(Number(response.headers.get('Retry-After')) > 0)
      await taken[0]!.return() // somebody leaves; the wait is cut short for the test
      return new Response(null, { status: 429 })
    },
  })
  const late = counting.events({ maxPause: 50 })
  await until(late, hello)
  assert.ok(refused > 0)
  await late.return()
})

test('it goes on asking while the server is away', async (t) => {
  let calls = 0
  const leave = new AbortController()
  const away = await broken((_, res) => {
    if (++calls === 5) leave.abort()
    res.writeHead(502).end()
  })
  t.after(away.close)
  const events = createClient({ baseUrl: away.url }).events({ maxPause: 1, signal: leave.signal })
  assert.equal((await events.next()).done, true)
  assert.equal(calls, 5)
})

test('events of a later version are passed over', async (t) => {
  const later = await broken((_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    res.write('event: hello\ndata: {}\n\nevent: unheard\ndata: {}\n\nid: 1\nevent: reset\ndata: {"reason":"r"}\n\n')
  })
  t.after(later.close)
  const events = createClient({ baseUrl: later.url }).events()
  const read = await until(events, (event) => event.type === 'reset')
  assert.deepEqual(read.map((event) => event.type), ['hello', 'reset'])
  await events.return()
})
