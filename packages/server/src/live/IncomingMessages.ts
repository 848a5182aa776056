/** What a client says, read: the message, or the field that is not what it must be. */
import {
  type ClientCommand,
  ClientMessage,
  type CommandId,
  CommandJson,
  describeIssue,
  type SessionId
} from "@holdfast/core"
import { Result, Schema } from "effect"

/** Why a message cannot be read. */
export interface Malformed {
  readonly field: string
  readonly expected: string
}

/** A message as a connection takes it. A command's body is read apart: what is wrong with it is told as its rejection. */
export type Incoming =
  | Exclude<ClientMessage, { readonly type: "command" }>
  | {
      readonly type: "command"
      readonly sessionId: SessionId
      readonly commandId: CommandId
      readonly command: Result.Result<ClientCommand, Malformed>
    }

const isMessageOf = (type: string) => (member: (typeof ClientMessage.members)[number]) =>
  member.fields.type.literal === type

const commandMember = ClientMessage.members.find(isMessageOf("command"))! as Extract<
  (typeof ClientMessage.members)[number],
  { readonly fields: { readonly commandId: unknown } }
>

const decoders = new Map<string, (input: unknown) => Result.Result<unknown, Schema.SchemaError>>(
  ClientMessage.members.map((member) => [
    member.fields.type.literal,
    Schema.decodeUnknownResult(
      member === commandMember
        ? Schema.Struct({ ...commandMember.fields, command: Schema.Unknown })
        : (member as Schema.Codec<unknown, unknown>)
    )
  ])
)
const decodeCommand = Schema.decodeUnknownResult(CommandJson)

const malformed = (root: string, error: Schema.SchemaError): Malformed => {
  const { expected, field } = describeIssue(root, error.message)
  return { field: field.replace(/^message\./, ""), expected }
}

/** Reads a message. */
export const readMessage = (text: string): Result.Result<Incoming, Malformed> => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return Result.fail({ field: "message", expected: "JSON" })
  }
  if (typeof json !== "object" || json === null) return Result.fail({ field: "message", expected: "an object" })
  const type = "type" in json ? json.type : undefined
  const decode = typeof type === "string" ? decoders.get(type) : undefined
  if (decode === undefined) {
    return Result.fail({ field: "type", expected: `one of ${[...decoders.keys()].join(", ")}` })
  }
  const decoded = decode(json)
  if (Result.isFailure(decoded)) return Result.fail(malformed("message", decoded.failure))
  const message = decoded.success as { readonly type: string; readonly command?: unknown }
  if (message.type !== "command") return Result.succeed(message as Incoming)
  const command = Result.mapError(decodeCommand(message.command), (error) => malformed("command", error))
  return Result.succeed({ ...message, command } as Incoming)
}
