/** What users said and tools brought, as content blocks; and what is left over of a payload, to be kept raw. */
import { boundRaw, type ContentBlock } from "@holdfast/core"
import type { UserInput } from "./CodexWire.ts"

/** The texts of what a user said. */
export const spokenText = (content: ReadonlyArray<UserInput> = []): string =>
  content.flatMap((input) => (input.type === "text" ? (input.text ?? []) : [])).join("\n")

/** One piece of what a user said. */
export const readInput = ({ name, path, text = "", type, url }: UserInput): ReadonlyArray<ContentBlock> => {
  switch (type) {
    case "text":
      return [{ type: "text", text }]
    case "image":
      return url === undefined ? [] : [imageAt(url)]
    case "localImage":
      return path === undefined ? [] : [{ type: "image", mimeType: "image/*", uri: `file://${path}` }]
    default: {
      const uri = url ?? (path === undefined ? undefined : `file://${path}`)
      return uri === undefined ? [] : [{ type: "resource", uri, ...(name === undefined ? {} : { name }) }]
    }
  }
}

/** An image by its address, which may hold it. */
export const imageAt = (url: string): ContentBlock => {
  const [, mimeType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(url) ?? []
  return mimeType === undefined || data === undefined
    ? { type: "image", mimeType: "image/*", uri: url }
    : { type: "image", mimeType, data }
}

/** A part of a tool's result: a text for its output, a block for its content, or what has no place in either. */
export interface ReadBlock {
  readonly text?: string
  readonly block?: ContentBlock
  readonly raw?: unknown
}

/** A content block of the Model Context Protocol: texts become output, what has no block of ours stays raw. */
export const readBlock = (raw: unknown): ReadBlock => {
  if (typeof raw !== "object" || raw === null) return { raw }
  const { data, mimeType, name, resource, text, type, uri } = raw as { readonly [key: string]: unknown }
  if (type === "text" && typeof text === "string") return { text }
  if (type === "image" && typeof data === "string" && typeof mimeType === "string") {
    return { block: { type: "image", mimeType, data } }
  }
  if (type === "resource_link" && typeof uri === "string") {
    return { block: { type: "resource", uri, ...strings({ name, mimeType }) } }
  }
  if (type === "resource" && typeof resource === "object" && resource !== null) {
    const inner = resource as { readonly [key: string]: unknown }
    if (typeof inner["uri"] === "string") {
      const more = strings({ mimeType: inner["mimeType"], text: inner["text"], blob: inner["blob"] })
      return { block: { type: "resource", uri: inner["uri"], ...more } }
    }
  }
  return { raw }
}

const strings = <K extends string>(of: { readonly [P in K]: unknown }): { readonly [P in K]?: string } =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => typeof value === "string")) as { [P in K]?: string }

/** The fields of an object that say something. */
export const pick = <T extends object, K extends keyof T>(of: T, keys: ReadonlyArray<K>): Partial<T> =>
  Object.fromEntries(
    keys.flatMap((key) => (of[key] === undefined || of[key] === null ? [] : [[key, of[key]]]))
  ) as Partial<T>

/** Values under a name, unless there are none. */
export const named = (name: string, values: ReadonlyArray<unknown>): object =>
  values.length === 0 ? {} : { [name]: values }

/** What has no field of ours, beside the event. */
export const rest = (fields: object): { readonly raw?: unknown } =>
  Object.keys(fields).length === 0 ? {} : { raw: boundRaw(fields) }
