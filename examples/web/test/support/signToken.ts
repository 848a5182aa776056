/** Tokens as an app of somebody else's makes them. */
import { createHmac } from "node:crypto"
import { secret } from "./Stage.ts"

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A member's token, good for ten minutes (RFC 7519, HS256). */
export const signToken = (sub: string, name: string): string => {
  const claims = { sub, name, roles: ["member"], exp: Math.floor(Date.now() / 1_000) + 600 }
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`
}
