// Reads messages from standard input, and has the reference library of Standard Webhooks
// verify each with each secret. Writes what it returns, or null where it refuses.
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

const answers = JSON.parse(await text(process.stdin)).map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers);
  } catch {
    return null;
  }
});
process.stdout.write(JSON.stringify(answers));
