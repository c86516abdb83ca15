import createFetchClient, {
  type Client as FetchClient,
  type ClientPathsWithMethod,
  type FetchResponse,
  type MaybeOptionalInit,
} from 'openapi-fetch'
import { GorgoneError } from './errors.js'
import { type EventsOptions, type LiveEvent, readEvents } from './events.js'
import { type RetryOptions, retrying, sleep } from './retry.js'
import type { components, paths } from './schema.js'

/** How Gorgone is reached. */
export interface ClientOptions {
  /** Address of `gorgone web`. Defaults to the page's own, where a route handler passes calls on. */
  baseUrl?: string
  /** The bearer token, or what returns one that is good now. It is asked at every attempt. */
  token?: string | (() => string | undefined | Promise<string | undefined>)
  /** When calls are made again. `false`: never. */
  retry?: RetryOptions | false
  /** Used in place of the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>
}

/** How a tweet is refreshed. */
export interface RefreshOptions {
  /** Look it up even when it was seen a moment ago, where the caller may. */
  force?: boolean
  signal?: AbortSignal
  /** In place of the client's. `false`: a 429 or 503 is thrown at once, for a page that shows it. */
  retry?: RetryOptions | false
}

/** A tweet after a refresh. */
export type RefreshedTweet = NonNullable<components['schemas']['Refreshed']['data']>

type Media = 'application/json'
type Paths<Method extends 'get' | 'post'> = ClientPathsWithMethod<FetchClient<paths, Media>, Method>
type Init<Path extends keyof paths, Method extends 'get' | 'post'> = MaybeOptionalInit<paths[Path], Method>
type InitParam<I> = undefined extends I ? [init?: I] : [init: I]
type Data<Path extends keyof paths, Method extends 'get' | 'post', I> = NonNullable<
  FetchResponse<paths[Path][Method] & {}, I, Media>['data']
>

/** A client of Gorgone's HTTP API. */
export interface Client {
  /** Calls a GET route and returns its answer. Throws a GorgoneError. */
  get<Path extends Paths<'get'>, I extends Init<Path, 'get'>>(
    path: Path,
    ...init: InitParam<I>
  ): Promise<Data<Path, 'get', I>>
  /** Calls a POST route and returns its answer. Throws a GorgoneError. */
  post<Path extends Paths<'post'>, I extends Init<Path, 'post'>>(
    path: Path,
    ...init: InitParam<I>
  ): Promise<Data<Path, 'post', I>>
  /** Has a tweet looked up now, by the id of its row or the platform's, and waits until it is. Throws a GorgoneError. */
  refresh(id: string, options?: RefreshOptions): Promise<RefreshedTweet>
  /** Reads live events until its signal ends it. Throws a GorgoneError that asking again would not change. */
  events(options?: EventsOptions): AsyncGenerator<LiveEvent, void, void>
}

/** Makes a client. It holds no connection. */
export function createClient(options: ClientOptions = {}): Client {
  const { baseUrl = '', token, fetch: plain = (request: Request) => fetch(request) } = options
  const send = async (request: Request): Promise<Response> => {
    const bearer = typeof token === 'function' ? await token() : token
    if (bearer) request.headers.set('Authorization', `Bearer ${bearer}`)
    return plain(request)
  }
  const again = (retry: RetryOptions | false = {}) => (retry === false ? send : retrying(send, retry))
  const http = createFetchClient<paths, Media>({ baseUrl, fetch: again(options.retry) })

  const client: Client = {
    get: async (path, ...init) => dataOf(await http.request('get', path, ...(init as [never]))),
    post: async (path, ...init) => dataOf(await http.request('post', path, ...(init as [never]))),

    async refresh(id, { force, signal, retry = options.retry } = {}) {
      const answer = await http.POST('/api/twitter/tweets/{id}/refresh', {
        params: { path: { id }, query: force === undefined ? {} : { force } },
        fetch: again(retry),
        ...(signal && { signal }),
      })
      let data = dataOf(answer).data
      const request = answer.response.headers.get('Location')?.split('/').pop() ?? ''
      while (!data) {
        // 202: the look-up takes longer than the server waits. The request ends within a minute.
        await sleep(1000, signal)
        const poll = await http.GET('/api/twitter/tweets/{id}/refresh/{request}', {
          params: { path: { id, request } },
          fetch: send, // what the request ended with does not change any more
          ...(signal && { signal }),
        })
        data = dataOf(poll).data
      }
      return data
    },

    events(options = {}) {
      const { zone } = options
      return readEvents(async (lastEventId, signal) => {
        const answer = await http.GET('/api/twitter/engagement/events', {
          params: { query: zone === undefined ? {} : { zone } },
          headers: { Accept: 'text/event-stream', ...(lastEventId && { 'Last-Event-ID': lastEventId }) },
          parseAs: 'stream',
          cache: 'no-store',
          fetch: send, // the loop over the events has its own pauses
          signal,
        })
        dataOf(answer as { response: Response; error?: unknown })
        return answer.response.body
      }, options)
    },
  }
  return client
}

/** Returns the data of an answer, or throws what is wrong with it. */
function dataOf<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (!answer.response.ok) throw GorgoneError.of(answer.response, answer.error)
  return answer.data as T
}
