/** Looks at what is asked for before anything is made: a request that cannot be kept is refused, never half kept. */
import type { SandboxLimits, SandboxProviderError, SandboxRequest } from "@holdfast/core/cloud"
import { lstatSync, readdirSync } from "node:fs"
import { dirname, isAbsolute, join, basename } from "node:path"
import { sandboxPlaces } from "./SandboxPlaces.ts"
import type { Fail } from "./ProviderErrors.ts"

/** Where the control plane is, taken apart. */
export type ControlPlane =
  | { readonly kind: "url"; readonly url: URL }
  /** A unix socket on the host: the folder that is shown inside, and the name in it. */
  | { readonly kind: "socket"; readonly folder: string; readonly name: string }

/** Longest owner that is taken, in UTF-16 units. */
const maxOwner = 256

/** What all providers refuse. `held` are the limits that this one holds to. */
export const checkRequest = (
  fail: Fail,
  { controlPlane, environment, generation, limits = {}, owner }: SandboxRequest,
  held: ReadonlyArray<keyof SandboxLimits>
): { readonly controlPlane: ControlPlane } | { readonly error: SandboxProviderError } => {
  const invalid = (detail: string) => ({ error: fail("invalid", detail) })
  if (owner.length === 0 || owner.length > maxOwner || !/^[\x20-\x7e]*$/.test(owner)) {
    return invalid(`the owner must be 1 to ${maxOwner} printable ASCII characters`)
  }
  if (!Number.isSafeInteger(generation) || generation < 0) return invalid("the generation must be a whole number")
  for (const [name, value] of Object.entries(environment)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return invalid(`${JSON.stringify(name)} cannot name a variable`)
    if (value.includes("\0")) return invalid(`the variable ${name} has a NUL in its value`)
  }
  for (const [name, value] of Object.entries(limits) as ReadonlyArray<[keyof SandboxLimits, unknown]>) {
    if (value === undefined || value === "open") continue
    if (!held.includes(name)) {
      return {
        error: fail("unsupported", `it cannot hold to a limit of ${name}: leave it out, or use another provider`)
      }
    }
    if (name === "network") {
      if (value !== "none") return invalid(`the network must be "open" or "none"`)
    } else if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
      return invalid(`the limit of ${name} must be a number above 0`)
    } else if (name !== "cpus" && !Number.isSafeInteger(value)) {
      return invalid(`the limit of ${name} must be a whole number`)
    }
  }
  const place = controlPlaneOf(controlPlane)
  if (typeof place === "string") return invalid(place)
  if (limits.network === "none" && place.kind === "url") {
    return invalid("without a network the control plane is only reached by a unix socket: serve bridges on one")
  }
  return { controlPlane: place }
}

const controlPlaneOf = (text: string): ControlPlane | string => {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length)
    if (!isAbsolute(path)) return `the control plane ${text} must be an absolute path`
    const folder = dirname(path)
    const problem = folderProblem(folder)
    return problem ?? { kind: "socket", folder, name: basename(path) }
  }
  const url = URL.parse(text)
  return url !== null && (url.protocol === "http:" || url.protocol === "https:")
    ? { kind: "url", url }
    : `the control plane must be an http or https URL or unix:/path, and ${text} is neither`
}

/**
 * The folder is shown inside, and not the socket alone: a server that starts again makes a new socket, and what was shown
 * before would lead nowhere. So it must be a folder for nothing else.
 */
const folderProblem = (folder: string): string | undefined => {
  try {
    const other = readdirSync(folder).find((name) => !lstatSync(join(folder, name)).isSocket())
    return other === undefined
      ? undefined
      : `sandboxes see the whole folder of the control plane's socket, and ${folder} has ${other}: give the socket one of its own`
  } catch (error) {
    return `the folder of the control plane's socket cannot be read: ${String(error)}`
  }
}

/** `HOLDFAST_BRIDGE_URL` of a socket whose folder is shown at its fixed place. */
export const socketUrl = (name: string): string => `unix:${sandboxPlaces.controlPlane}/${name}`
