/** What the tests of the provider `e2b` share: a counterpart of the API and a provider that is pointed at it. */
import { makeSessionId } from "@holdfast/core"
import type { SandboxProvider, SandboxRequest } from "@holdfast/core/cloud"
import { sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { onTestFinished } from "vitest"
import { e2bSandboxes, type E2bSandboxesOptions } from "../../src/e2b.ts"
import { type CounterpartOptions, type E2bCounterpart, startE2bCounterpart } from "./E2bCounterpart.ts"

/** The account's key: it must be nowhere but in a header. */
export const apiKey = "e2b_0123456789abcdef0123456789abcdef01234567"

/** A counterpart, a provider, and requests for it. */
export interface E2bBench {
  readonly counterpart: E2bCounterpart
  readonly provider: SandboxProvider
  readonly request: (changes?: Partial<SandboxRequest>) => SandboxRequest
  /** Runs a script of `/bin/sh` inside. */
  readonly sh: (sandboxId: string, script: string) => Effect.Effect<string, unknown>
}

/** Made for one test, and gone with it. */
export const e2bBench = async (
  options: Partial<E2bSandboxesOptions> = {},
  account: Partial<CounterpartOptions> = {}
): Promise<E2bBench> => {
  const counterpart = await startE2bCounterpart({ apiKey, templates: ["holdfast"], ...account })
  onTestFinished(counterpart.close)
  const provider = e2bSandboxes({
    template: "holdfast",
    apiKey,
    apiUrl: counterpart.url,
    sandboxUrl: counterpart.url,
    node: process.execPath,
    bridge: { installed: ["/bin/sh", "-c", sandboxStandIn] },
    anyControlPlane: true,
    ...options
  })
  return {
    counterpart,
    provider,
    request: (changes) => ({
      owner: "the owner's log",
      sessionId: makeSessionId(),
      generation: 1,
      environment: {},
      controlPlane: "http://127.0.0.1:9",
      ...changes
    }),
    sh: (sandboxId, script) =>
      Effect.map(provider.exec(sandboxId, { command: "/bin/sh", args: ["-c", script] }), ({ stdout }) =>
        new TextDecoder().decode(stdout)
      )
  }
}
