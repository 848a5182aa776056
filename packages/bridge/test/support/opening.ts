/** Commands that open inner backends. */
import type { BridgeOpen } from "@holdfast/core/cloud"

/** Opens a plain shell. */
export const opening = (generation: number, spec: object = {}, more: Partial<BridgeOpen> = {}): BridgeOpen => ({
  do: "open",
  generation,
  backend: "pty",
  spec: {
    profile: "shell",
    command: "bash",
    args: ["--norc", "--noprofile"],
    env: { values: { PS1: "> " } },
    ...spec
  },
  inDoubt: [],
  ...more
})
