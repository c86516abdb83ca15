import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTCPServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { createClient } from '../src/index.js'
import { Supabase } from './supabase.js'

const binary = resolve(process.env.GORGONE ?? '../../bin/gorgone')

/** A running `gorgone up`: Postgres, NATS, a worker, the web server and the provider double. */
export class Stack {
  readonly #process: ChildProcess
  readonly #dir: string
  readonly supabase: Supabase
  #databaseURL = ''
  url = ''
  /** Token of a service with all scopes. */
  token = ''

  private constructor(process: ChildProcess, dir: string, supabase: Supabase) {
    this.#process = process
    this.#dir = dir
    this.supabase = supabase
  }

  static async start(): Promise<Stack> {
    const dir = await mkdtemp(join(tmpdir(), 'gorgone-'))
    const supabase = await Supabase.start()
    const args = ['up', '--data-dir', dir, '--listen', '127.0.0.1:0', '--tweets', '40']
    const child = spawn(binary, args, {
      env: {
        PATH: process.env.PATH,
        SUPABASE_URL: supabase.url,
        SUPABASE_JWT_SECRET: supabase.secret,
        GORGONE_WEB_REFRESH_FORCE: 'true', // or what a worker has just looked up is answered at once
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const stack = new Stack(child, dir, supabase)
    const log: string[] = []
    await new Promise<void>((ready, failed) => {
      child.on('error', failed)
      child.on('exit', () => failed(new Error(`gorgone up ended:\n${log.join('\n')}`)))
      createInterface(child.stderr!).on('line', (line) => {
        log.push(line)
        if (line.includes('"http":"http://')) ready()
      })
    })
    const running = JSON.parse(await readFile(join(dir, 'running.json'), 'utf8'))
    stack.url = running.web_url
    stack.#databaseURL = running.database_url
    await stack.#ready()
    stack.token = (await readFile(join(dir, 'service-token'), 'utf8')).trim()
    return stack
  }

  async #ready(): Promise<void> {
    // It listens before it answers, and answers with 503 before it is ready.
    while (!(await fetch(`${this.url}/readyz`)).ok);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGINT')
    await ended
    this.supabase.close()
    await rm(this.#dir, { recursive: true })
  }

  /** Returns the ids of the rows of so many tracked tweets, once there are as many. */
  async tweets(count: number): Promise<string[]> {
    const client = createClient({ baseUrl: this.url, token: this.token })
    for (;;) {
      const { data } = await client.get('/api/twitter/engagement/top', { params: { query: { by: 'engagement', limit: count } } })
      if (data.length === count) return data.map((tweet) => tweet.id)
      for await (const event of client.events()) if (event.type === 'update') break
    }
  }

  /** Returns the id of a new user, who may see and refresh everything. */
  async user(): Promise<string> {
    const id = randomUUID()
    await this.#sql(`insert into profiles (id, role) values ('${id}', 'admin')`)
    return id
  }

  async #sql(statement: string): Promise<void> {
    await promisify(execFile)('psql', ['--quiet', '--set', 'ON_ERROR_STOP=1', '--command', statement, this.#databaseURL])
  }
}

/**
 * A wire to a server that can be cut, and does not always carry what is sent.
 * It emits `made` and `gone` as connections come and go.
 */
export class Wire extends EventEmitter {
  readonly #server
  readonly #ends = new Set<Socket>()
  /** Connections made so far. */
  made = 0
  /** While true, connections are refused as they are made. */
  down = false
  /** While true, nothing that the server sends arrives. */
  silent = false

  constructor(target: string) {
    super()
    const { hostname, port } = new URL(target)
    this.#server = createTCPServer((near) => {
      this.made++
      this.emit('made')
      if (this.down) return near.destroy()
      const far = connect(Number(port), hostname)
      this.#ends.add(near).add(far)
      near.on('data', (data) => far.write(data)).on('error', () => far.destroy())
      near.on('close', () => far.destroy())
      far.on('data', (data) => this.silent || near.write(data)).on('error', () => near.destroy())
      far.on('close', () => near.destroy())
      for (const end of [near, far]) end.on('close', () => this.#ends.delete(end) && this.emit('gone'))
    })
  }

  async open(): Promise<string> {
    return listen(this.#server)
  }

  /** Waits until so many connections were made. */
  async untilMade(count: number): Promise<void> {
    while (this.made < count) await once(this, 'made')
  }

  /** Waits until there is no connection. */
  async untilGone(): Promise<void> {
    while (this.#ends.size > 0) await once(this, 'gone')
  }

  cut(): void {
    for (const end of this.#ends) end.destroy()
  }

  close(): void {
    this.cut()
    this.#server.close()
  }
}

/** Starts a server that answers like a broken proxy. */
export async function broken(answer: Parameters<typeof createServer>[1]): Promise<{ url: string; close: () => void }> {
  const server = createServer(answer as never)
  return { url: await listen(server), close: () => server.close() }
}

export async function listen(server: ReturnType<typeof createTCPServer> | Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return urlOf(server)
}

export function urlOf(server: ReturnType<typeof createTCPServer> | Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
