/** Reads what a server says in text frames. */
import { ServerMessage } from "@holdfast/core"
import * as Schema from "effect/Schema"

const decode = Schema.decodeUnknownSync(ServerMessage)
const known: ReadonlySet<string> = new Set(ServerMessage.members.map(({ fields }) => fields.type.literal))

/**
 * A message of the server; undefined for one of a type that this version does not know: a newer server's, which an older
 * client can do without as long as the protocol has the same number. Throws where it is none, or a field is not valid.
 */
export const readServerMessage = (text: string): ServerMessage | undefined => {
  const json: unknown = JSON.parse(text)
  const type = typeof json === "object" && json !== null && "type" in json ? json.type : undefined
  return typeof type === "string" && !known.has(type) ? undefined : decode(json)
}
