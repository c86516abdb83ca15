import type { components } from './schema.js'
import { delayOf } from './retry.js'

/** The body of every answer other than 2xx. */
export type Fault = components['schemas']['Fault']

/** What went wrong, for programs. It is as narrow as the OpenAPI document says. */
export type ErrorCode = Fault['code']

/**
 * An answer other than 2xx. Network faults are not of this class: they stay
 * the `TypeError` that `fetch` rejects with.
 */
export class GorgoneError extends Error {
  override readonly name = 'GorgoneError'

  constructor(
    /** HTTP status. */
    readonly status: number,
    message: string,
    /** Absent when the answer was not Gorgone's, but that of a proxy in between. */
    readonly code?: ErrorCode,
    /** The request as the server's log knows it. */
    readonly requestId?: string,
    /** Milliseconds after which it makes sense to ask again. */
    readonly retryAfter?: number,
  ) {
    super(message)
  }

  /** Reads the error from an answer and its body, parsed or as text. */
  static of(response: Response, body: unknown): GorgoneError {
    const fault = isFault(body) ? body : undefined
    return new GorgoneError(
      response.status,
      fault?.error ?? `the answer is ${response.status} ${response.statusText}`.trimEnd(),
      fault?.code,
      fault?.request_id ?? response.headers.get('X-Request-Id') ?? undefined,
      delayOf(response),
    )
  }
}

function isFault(body: unknown): body is Fault {
  return typeof body === 'object' && body !== null && 'code' in body && 'error' in body
}
