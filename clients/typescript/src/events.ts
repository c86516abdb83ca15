import type { components } from './schema.js'
import { GorgoneError } from './errors.js'
import { sleep } from './retry.js'
import { Parser } from './sse.js'

/** A tweet in an `update` or a `failure`. */
export type LiveTweet = components['schemas']['LiveTweet']

/** What happened in one zone at the same moment. */
export type LiveBatch = components['schemas']['LiveBatch']

/** What an alert rule tells of. */
export type LiveAlert = components['schemas']['LiveAlert']

/**
 * An event of the stream. `hello` says that the stream is open, at the start
 * and after each reconnect. `reset` says that events were missed: read again
 * what you show.
 */
export type LiveEvent =
  | { type: 'hello'; id: string; data: Record<string, never> }
  | { type: 'reset'; id: string; data: components['schemas']['LiveReset'] }
  | { type: 'update' | 'failure'; id: string; data: LiveBatch }
  | { type: 'alert'; id: string; data: LiveAlert }

/** Which events are read, and for how long. */
export interface EventsOptions {
  /** Only the events of this zone. Without it, those of all that the caller may read. */
  zone?: string
  /** The id of the last event that was seen: what came after it follows. */
  lastEventId?: string
  /** Ends the stream: the loop over it ends without an error. */
  signal?: AbortSignal
  /** Milliseconds without a sign of life after which a connection counts as dead. Defaults to 45,000. */
  idle?: number
  /** The longest time in milliseconds between two attempts to connect. Defaults to 30,000. */
  maxPause?: number
}

const kinds = new Set<string>(['hello', 'reset', 'update', 'failure', 'alert'] satisfies LiveEvent['type'][])

/** Opens one connection. It rejects with a GorgoneError when the answer is not 2xx. */
export type Open = (lastEventId: string, signal: AbortSignal) => Promise<ReadableStream<Uint8Array> | null>

/**
 * Reads events and connects again whenever the connection ends, for as long as
 * the server may be expected to come back. It throws a GorgoneError that
 * asking again would not change (401, 403, 404).
 */
export async function* readEvents(open: Open, options: EventsOptions): AsyncGenerator<LiveEvent, void, void> {
  const { signal = new AbortController().signal, idle = 45_000, maxPause = 30_000 } = options
  let lastEventId = options.lastEventId ?? ''
  let pause = 3000
  let failures = 0
  while (!signal.aborted) {
    let retryAfter = 0
    const connection = new Connection(signal, idle)
    try {
      const body = await open(lastEventId, connection.signal)
      const parser = new Parser(lastEventId)
      for await (const text of connection.read(body)) {
        for (const message of parser.push(text)) {
          lastEventId = message.id
          pause = parser.retry ?? pause
          failures = 0
          if (signal.aborted) return
          // Kinds of a later version are passed over.
          if (kinds.has(message.event)) {
            yield { type: message.event, id: lastEventId, data: JSON.parse(message.data) } as LiveEvent
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof GorgoneError && error.status !== 429 && error.status < 500) throw error
      if (error instanceof GorgoneError) retryAfter = error.retryAfter ?? 0
      failures++
    } finally {
      connection.close()
    }
    // Spread, so that not all readers come back in the same moment.
    const backoff = Math.min(maxPause, pause * 2 ** Math.max(0, failures - 1)) * (0.5 + Math.random() / 2)
    await sleep(Math.max(retryAfter, backoff), signal).catch(() => undefined)
  }
}

/** A connection that is given up when it is silent for too long. */
class Connection {
  readonly #dead = new AbortController()
  readonly #idle: number
  readonly signal: AbortSignal
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(signal: AbortSignal, idle: number) {
    this.#idle = idle
    this.signal = AbortSignal.any([signal, this.#dead.signal])
    this.#alive()
  }

  async *read(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string, void, void> {
    if (!body) return
    const reader = body.getReader()
    const decoder = new TextDecoder()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      this.#alive()
      yield decoder.decode(value, { stream: true })
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#dead.abort()
  }

  #alive(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#dead.abort(new Error('the stream is silent')), this.#idle)
  }
}
