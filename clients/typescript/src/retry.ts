/** When a call is made again: after 429 and 503 with a Retry-After. */
export interface RetryOptions {
  /** How often a call is made at most, the first time included. Defaults to 3. */
  attempts?: number
  /** The longest Retry-After in milliseconds that is waited for. Defaults to 30,000. */
  maxWait?: number
}

/**
 * Wraps `fetch` so that a call that was refused for now (429 or 503) is made
 * again when its Retry-After says. The last answer is returned as it is. The
 * request's signal ends a wait.
 */
export function retrying(
  send: (request: Request) => Promise<Response>,
  { attempts = 3, maxWait = 30_000 }: RetryOptions,
): (request: Request) => Promise<Response> {
  return async (request) => {
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= attempts
      const response = await send(last ? request : request.clone())
      if (last || (response.status !== 429 && response.status !== 503)) return response
      const delay = delayOf(response)
      if (delay === undefined || delay > maxWait) return response
      await response.body?.cancel()
      await sleep(delay, request.signal)
    }
  }
}

/** Returns an answer's Retry-After in milliseconds, if it has one that can be read. */
export function delayOf(response: Response): number | undefined {
  const value = response.headers.get('Retry-After')?.trim()
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

/** Waits, unless the signal ends it: then it rejects with the signal's reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const aborted = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', aborted, { once: true })
  })
}
