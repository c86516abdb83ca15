// Has a tweet looked up by a message that is published straight to NATS, and waits for the answer.
//
//   NATS_URL=nats://refresher:PASSWORD@127.0.0.1:4222 node refresh.mjs TWEET_ID [USER_ID]
import { randomUUID } from 'node:crypto'
import { jetstream, JetStreamApiError } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

/** The stream already has a message for the tweet: its answer is the answer to this one too. */
const taken = 10077

/** Returns the answer of the workers about a tweet, by the platform's id. */
export async function refresh(nc, tweet, user, patience = 60_000) {
  // Subscribe first: the answer may come before the publication returns.
  const answers = nc.subscribe(`eng.done.${tweet}`, { max: 1, timeout: patience })
  await nc.flush()
  const message = { v: 1, request_id: randomUUID(), tweet_id: tweet, ...(user && { requester: `user:${user}` }) }
  try {
    await jetstream(nc).publish(`eng.refresh.${tweet}`, JSON.stringify(message))
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === taken)) {
      answers.unsubscribe()
      throw error
    }
  }
  for await (const answer of answers) return answer.json()
  throw new Error('the connection was closed')
}

const [tweet, user] = process.argv.slice(2)
const { host, username, password } = new URL(process.env.NATS_URL)
const nc = await connect({ servers: host, user: username, pass: password, inboxPrefix: '_INBOX_refresher' })
const answer = await refresh(nc, tweet, user)
await nc.close()
console.log(JSON.stringify(answer))
process.exitCode = ['updated', 'current'].includes(answer.outcome) ? 0 : 1
