import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { createClient } from '@gorgone/client'
import { chromium } from 'playwright-core'
import { Stack } from '../../../clients/typescript/build/test/stack.js'

const chrome = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** @type {Stack} */
let stack
/** @type {{url: string, stop: () => Promise<void>}} */
let site
/** @type {import('playwright-core').Browser} */
let browser
/** @type {import('playwright-core').BrowserContext} */
let context
/** @type {import('playwright-core').Page} */
let page
/** What the page has received, of which none may hold a token. */
const received = []

before(async () => {
  stack = await Stack.start()
  await stack.tweets(5)
  stack.supabase.users.set('ann@example.com', await stack.user())
  site = await startSite()
  browser = await chromium.launch({ executablePath: chrome, args: ['--no-sandbox'] })
  context = await browser.newContext()
  page = await context.newPage()
  page.on('response', async (response) => {
    const headers = Object.entries(response.headers()).filter(([name]) => name !== 'set-cookie') // HttpOnly, see below
    const isStream = response.headers()['content-type']?.startsWith('text/event-stream')
    received.push(JSON.stringify(headers) + (isStream ? '' : await response.text().catch(() => '')))
  })
})
after(async () => {
  await browser?.close()
  await site?.stop()
  await stack?.stop()
})

/** Starts what `next build` has made. */
async function startSite() {
  const server = spawn('node_modules/.bin/next', ['start', '--port', '0', '--hostname', '127.0.0.1'], {
    env: {
      PATH: process.env.PATH,
      NEXT_TELEMETRY_DISABLED: '1',
      GORGONE_URL: stack.url,
      GORGONE_TOKEN: 'only for next dev',
      SUPABASE_URL: stack.supabase.url,
      SUPABASE_ANON_KEY: 'the publishable key',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = async () => {
    const ended = once(server, 'exit')
    server.kill()
    await ended
  }
  let url
  for await (const line of createInterface(server.stdout)) {
    url ??= /http:\/\/\S+/.exec(line)?.[0].replace('localhost', '127.0.0.1')
    if (line.includes('Ready')) break
  }
  server.stdout.resume()
  return { url, stop }
}

const card = (id) => page.locator(`[data-tweet="${id}"]`)
const shownIds = () => page.locator('[data-tweet]').evaluateAll((cards) => cards.map((one) => one.dataset.tweet))
const service = () => createClient({ baseUrl: stack.url, token: stack.token })
const chartOf = async (id) => (await service().get('/api/twitter/engagement/{id}', { params: { path: { id } } })).data

/** Waits until a card shows the moment at which its tweet was last updated. */
async function untilShown(id, moment) {
  await page.waitForFunction(
    ([id, moment]) => document.querySelector(`[data-tweet="${id}"] time`)?.dateTime === moment,
    [id, moment],
  )
}

test('nobody is signed in', async () => {
  await page.goto(site.url)
  await page.waitForURL('**/login')
  await page.getByPlaceholder('E-mail').fill('ann@example.com')
  await page.getByPlaceholder('Password').fill('wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Invalid login credentials').waitFor()
})

test('a user signs in and sees curves', async () => {
  await page.getByPlaceholder('E-mail').fill('ann@example.com')
  await page.getByPlaceholder('Password').fill('correct')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.locator('[data-tweet]').nth(4).waitFor()
  for (const id of await shownIds()) {
    const { snapshots } = await chartOf(id)
    const points = (await card(id).locator('polyline').getAttribute('points')).split(' ')
    assert.ok(points.length > 0 && points.length <= snapshots.length)
    const text = (await card(id).innerText()).replaceAll('\n', ' ')
    assert.match(text, /engagements, (updated (now|\d+ (seconds?|minutes?) ago)|not looked up yet)/)
  }
})

test('the button refreshes, and says that it does', async () => {
  const [id] = await shownIds()
  let release
  const held = new Promise((resolve) => (release = resolve))
  await page.route(`**/${id}/refresh`, async (route) => {
    await held
    await route.continue()
  })
  const button = card(id).getByRole('button')
  assert.equal(await button.innerText(), 'Refresh')
  const answered = page.waitForResponse(`**/${id}/refresh`)
  await button.click()
  await card(id).getByRole('button', { name: 'Refreshing…' }).waitFor()
  assert.equal(await button.isDisabled(), true)
  release()
  const answer = await answered
  assert.equal(answer.status(), 200)
  const { data } = await answer.json()
  assert.equal(data.id, id)
  await card(id).getByRole('button', { name: 'Refresh', exact: true }).waitFor()
  await untilShown(id, data.last_updated)
  assert.equal((await chartOf(id)).last_updated, data.last_updated)
})

test('what others refresh is shown without a click', async () => {
  const id = (await shownIds())[1]
  const before = (await chartOf(id)).last_updated
  const tweet = await service().refresh(id, { force: true })
  assert.notEqual(tweet.last_updated, before)
  await untilShown(id, tweet.last_updated)
  await card(id).getByText(tweet.metrics.total_engagement.toLocaleString('en'), { exact: true }).waitFor()
  const seen = (await chartOf(id)).snapshots.filter((point) => point.snapshot_at <= tweet.last_updated)
  const points = (await card(id).locator('polyline').getAttribute('points')).split(' ')
  assert.ok(points.length >= seen.length)
  assert.match(await card(id).locator('time').innerText(), /^(now|\d+ seconds? ago)$/)
})

test('the button says what is wrong', async () => {
  const missing = '00000000-0000-4000-8000-000000000000'
  const id = (await shownIds())[2]
  await page.route(`**/${id}/refresh`, (route) => route.continue({ url: route.request().url().replace(id, missing) }))
  await card(id).getByRole('button').click()
  await card(id).getByRole('button', { name: 'there is no such tweet' }).waitFor()
})

test('the token stays with the server', async () => {
  const cookies = (await context.cookies()).filter((cookie) => cookie.name.startsWith('sb-'))
  assert.ok(cookies.length > 0 && cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === 'Lax'))
  assert.equal(await page.evaluate(() => document.cookie), '')
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0)
  const tokens = [...stack.supabase.issued, stack.token]
  assert.ok(stack.supabase.refreshed > 0) // the handler has renewed the session
  assert.ok(received.length > 10)
  for (const text of [...received, await page.content()]) {
    assert.ok(!tokens.some((token) => text.includes(token)))
  }
})

test('a page of another site may not refresh', async () => {
  const [id] = await shownIds()
  const other = await context.newPage()
  await other.goto(site.url.replace('127.0.0.1', 'localhost')) // the same server under another name
  const asked = other.waitForRequest('**/refresh')
  await other.evaluate((url) => void fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' }), `${site.url}/api/twitter/tweets/${id}/refresh`)
  const response = await (await asked).response()
  assert.equal(response.status(), 403)
  await other.close()
})

test('signing out ends the session', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL('**/login')
  assert.equal(stack.supabase.ended, 1)
  const status = await page.evaluate(async () => (await fetch('/api/twitter/overview')).status)
  assert.equal(status, 401)
})
