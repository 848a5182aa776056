/** Commands as wires carry them: JSON, with bytes in base64. */
import * as Schema from "effect/Schema"
import { type CommandBody, commandSchemas, type CommandType } from "../Command.ts"

/** What a host does by its own calls, and the runtime alone. */
const notForClients = ["session.create", "session.fork", "session.move", "request.expire"] as const

/** The commands that a client may send to a session that is there. */
export type ClientCommand = CommandBody<Exclude<CommandType, (typeof notForClients)[number]>>

const members = Object.entries(commandSchemas)
  .filter(([type]) => !(notForClients as ReadonlyArray<string>).includes(type))
  .map(([type, data]) =>
    Schema.Struct({
      type: Schema.Literal(type),
      // `terminal.write` alone carries bytes.
      data: type === "terminal.write" ? Schema.Struct({ bytes: Schema.Uint8ArrayFromBase64 }) : data
    })
  )

/** A command without its envelope: `{ "type": "prompt.send", "data": { … } }`. */
export const CommandJson = Schema.Union(members) as unknown as Schema.Codec<ClientCommand, unknown>
