// Reads cases from standard input and, for each, has the vendor's SDK judge the
// token that came with it and one made here, with the library that the SDK itself
// is built on. Writes the tokens and the verdicts as JSON.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { Receiver } from "@upstash/qstash";

const fromSDK = createRequire(import.meta.resolve("@upstash/qstash"));
const { SignJWT, UnsecuredJWT } = fromSDK("jose");

const { current, next, leeway, cases } = JSON.parse(await text(process.stdin));
const receiver = new Receiver({ currentSigningKey: current, nextSigningKey: next, devMode: false });

async function make({ algorithm, key, claims, signedBody, padded }) {
  const hash = createHash("sha256").update(signedBody).digest("base64url");
  const payload = { ...claims, body: padded ? hash.padEnd(44, "=") : hash };
  if (algorithm === "none") return new UnsecuredJWT(payload).encode();
  return new SignJWT(payload)
    .setProtectedHeader({ alg: algorithm, typ: "JWT" })
    .sign(new TextEncoder().encode(key));
}

async function judge(signature, { body, url }) {
  try {
    return (await receiver.verify({ signature, body, url, clockTolerance: leeway })) ? "" : "refused";
  } catch (error) {
    return error.message || String(error);
  }
}

const answers = [];
for (const c of cases) {
  const made = await make(c);
  answers.push({ name: c.name, made, madeRefused: await judge(made, c), givenRefused: await judge(c.given, c) });
}
process.stdout.write(JSON.stringify(answers));
