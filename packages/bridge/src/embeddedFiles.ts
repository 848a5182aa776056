/** What the build puts into the program. */

/** Files by name, as base64. */
export interface Embedded {
  /** node-pty's files by platform (`linux-x64`). */
  readonly addons: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** The keeper's program. */
  readonly keeper: string
}

/** Undefined in the sources. */
export const embeddedFiles = undefined as Embedded | undefined
