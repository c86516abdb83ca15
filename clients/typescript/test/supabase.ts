import { createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A double of Supabase Auth, as far as a login by e-mail and password goes. It
 * publishes no keys: its tokens are signed by the project's shared secret.
 */
export class Supabase {
  readonly secret = 'a shared secret of at least thirty-two bytes'
  /** Who may log in: e-mail to user id. Everybody's password is `correct`. */
  readonly users = new Map<string, string>()
  /** Tokens that were issued at logins and refreshes. */
  readonly issued: string[] = []
  /** Sessions that were refreshed, and ended. */
  refreshed = 0
  ended = 0
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (req, res) => {
      const { pathname, searchParams } = new URL(req.url!, this.url)
      const answer = (status: number, body: object) => res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
      if (pathname === '/auth/v1/.well-known/jwks.json') return answer(200, { keys: [] })
      if (pathname === '/auth/v1/logout') {
        this.ended++
        return res.writeHead(204).end()
      }
      if (pathname !== '/auth/v1/token') return answer(404, {})
      const body = JSON.parse(Buffer.concat(await req.toArray()).toString())
      if (searchParams.get('grant_type') === 'refresh_token') {
        this.refreshed++
        return answer(200, this.#session(body.refresh_token, 3600))
      }
      const user = this.users.get(body.email)
      if (!user || body.password !== 'correct') return answer(400, { error_code: 'invalid_credentials', msg: 'Invalid login credentials' })
      return answer(200, this.#session(user, 60)) // about to expire: it is refreshed at once
    })
  }

  static async start(): Promise<Supabase> {
    const supabase = new Supabase()
    await new Promise<void>((resolve) => supabase.#server.listen(0, '127.0.0.1', resolve))
    return supabase
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
  }

  /** Returns an access token of a user that is good for so many seconds. */
  issue(user: string, seconds = 3600): string {
    const now = Math.floor(Date.now() / 1000)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      iss: `${this.url}/auth/v1`, aud: 'authenticated', role: 'authenticated', sub: user, iat: now, exp: now + seconds,
    }
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
    return `${signed}.${createHmac('sha256', this.secret).update(signed).digest('base64url')}`
  }

  #session(user: string, seconds: number): object {
    const token = this.issue(user, seconds)
    this.issued.push(token)
    return {
      access_token: token, token_type: 'bearer', expires_in: seconds, expires_at: Math.floor(Date.now() / 1000) + seconds,
      refresh_token: user, user: { id: user, aud: 'authenticated', role: 'authenticated', app_metadata: {}, user_metadata: {} },
    }
  }
}
