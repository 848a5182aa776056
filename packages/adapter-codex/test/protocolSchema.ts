/** The protocol as the installed program itself describes it: `codex app-server generate-json-schema --experimental`. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { installedCodex } from "./codexHouse.ts"

/** A node of a JSON schema. */
export interface Node {
  readonly $ref?: string
  readonly type?: string | ReadonlyArray<string>
  readonly enum?: ReadonlyArray<unknown>
  readonly properties?: { readonly [name: string]: Node }
  readonly required?: ReadonlyArray<string>
  readonly items?: Node
  readonly additionalProperties?: boolean | Node
  readonly anyOf?: ReadonlyArray<Node>
  readonly oneOf?: ReadonlyArray<Node>
  readonly allOf?: ReadonlyArray<Node>
  readonly definitions?: { readonly [name: string]: Node }
}

/** One file of the schema, such as `ServerRequest`. */
export type Protocol = (file: string) => Node

/** Lets the program write its schema, and reads all that is asked for; the files are gone afterwards. */
export const withProtocol = async <A>(use: (protocol: Protocol) => A): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-codex-schema-"))
  try {
    const home = join(folder, "home")
    mkdirSync(home)
    execFileSync(
      installedCodex,
      ["app-server", "generate-json-schema", "--experimental", "--out", join(folder, "schema")],
      {
        env: { CODEX_HOME: home, PATH: process.env["PATH"] },
        stdio: "ignore"
      }
    )
    return use((file) => JSON.parse(readFileSync(join(folder, "schema", `${file}.json`), "utf8")) as Node)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** All shapes that a node allows, references followed. */
export const variantsOf = (node: Node | undefined, root: Node): ReadonlyArray<Node> => {
  if (node === undefined) return []
  if (node.$ref !== undefined) return variantsOf(root.definitions?.[node.$ref.split("/").at(-1)!], root)
  const parts = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]
  const inner = parts.flatMap((part) => variantsOf(part, root))
  const hasOwn = node.properties !== undefined || parts.length === 0
  return [...(hasOwn ? [node] : []), ...inner]
}

const typeOf = (value: unknown): ReadonlyArray<string> => {
  if (value === null) return ["null"]
  if (Array.isArray(value)) return ["array"]
  return Number.isInteger(value) ? ["integer", "number"] : [typeof value]
}

/** What is wrong with a value; empty where it conforms. Objects may have no fields that the schema does not name. */
export const problemsOf = (value: unknown, node: Node, root: Node, at = "value"): ReadonlyArray<string> => {
  if (node.$ref !== undefined) return problemsOf(value, resolve(node, root), root, at)
  const problems: Array<string> = []
  const one = node.anyOf ?? node.oneOf
  if (one !== undefined) {
    const rest = without(value, node.properties)
    const tried = one.map((part) => problemsOf(rest, resolve(part, root), root, at))
    if (tried.every((found) => found.length > 0)) problems.push(...tried.flat())
  }
  for (const part of node.allOf ?? []) problems.push(...problemsOf(value, resolve(part, root), root, at))
  const types = node.type === undefined ? undefined : [node.type].flat()
  if (types !== undefined && !typeOf(value).some((type) => types.includes(type))) {
    return [`${at} is no ${types.join(" or ")}: ${JSON.stringify(value)}`]
  }
  if (node.enum !== undefined && !node.enum.includes(value)) problems.push(`${at} is none of ${node.enum.join(", ")}`)
  if (Array.isArray(value)) {
    value.forEach((each, n) => problems.push(...problemsOf(each, resolve(node.items ?? {}, root), root, `${at}[${n}]`)))
  } else if (
    typeof value === "object" &&
    value !== null &&
    (node.properties !== undefined || node.required !== undefined)
  ) {
    for (const name of node.required ?? []) if (!Object.hasOwn(value, name)) problems.push(`${at}.${name} is missing`)
    for (const [name, each] of Object.entries(value)) {
      const known = node.properties?.[name]
      if (known !== undefined) problems.push(...problemsOf(each, resolve(known, root), root, `${at}.${name}`))
      else if (typeof node.additionalProperties !== "object" && one === undefined)
        problems.push(`${at}.${name} is not known`)
    }
  }
  return problems
}

/** What of a value is left for the alternatives of a node, which know nothing of the node's own fields. */
const without = (value: unknown, fields: Node["properties"] = {}): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).filter(([name]) => !Object.hasOwn(fields, name)))
    : value

/** The node itself with its reference followed; its alternatives stay what they are. */
const resolve = (node: Node, root: Node): Node =>
  node.$ref === undefined ? node : resolve(root.definitions![node.$ref.split("/").at(-1)!]!, root)
