/**
 * The conformance suite of sandbox providers: whoever writes a `SandboxProvider` runs it, and a cloud session can rely on
 * what passes. It needs no bridge: the provider is made so that its sandboxes run {@link sandboxStandIn} in its place.
 *
 * ```ts
 * sandboxProviderSuite("my provider", Effect.sync(() => mySandboxes({ program: ["/bin/sh", "-c", sandboxStandIn] })), {
 *   claims: { snapshot: true, limits: ["memoryBytes"] },
 *   remains: listWhateverIsStillThere
 * })
 * ```
 *
 * | section | runs | it says |
 * | --- | --- | --- |
 * | the life of a sandbox | always | one for one name, listed by owner, conditions, ends with everything in it, interrupted, side by side |
 * | running programs | always | exit codes, words, input, output and its bound, folder, environment, deadlines end whole trees |
 * | files | always | byte-exact both ways, modes, names, refusals |
 * | snapshots | where they are claimed | files come back and processes do not, chains of them, removal in use |
 * | limits | always | those that are claimed are held, the others refused |
 * | the way out | with `fetch` | a control plane on this machine is reached |
 *
 * The sandboxes need a POSIX system with `/bin/sh`, the usual small programs (coreutils, `find`), `/proc`, and `setsid`.
 */
import { describe } from "vitest"
import { sandboxExecTests } from "./sandboxExecTests.ts"
import { sandboxFileTests } from "./sandboxFileTests.ts"
import { sandboxLifeTests, sandboxReachTests } from "./sandboxLifeTests.ts"
import { sandboxLimitTests } from "./sandboxLimitTests.ts"
import { type MakeSandboxProvider, sandboxBenches, type SandboxProviderSuiteOptions } from "./sandboxProviderHarness.ts"
import { noSnapshotTests, sandboxSnapshotTests } from "./sandboxSnapshotTests.ts"

export type { MakeSandboxProvider, SandboxProviderSuiteOptions } from "./sandboxProviderHarness.ts"
export { sandboxStandIn } from "./sandboxStandIn.ts"

/** Registers the suite with vitest for a provider, which is made once for all of it. */
export const sandboxProviderSuite = (
  name: string,
  make: MakeSandboxProvider,
  options: SandboxProviderSuiteOptions
): void => {
  describe(name, () => {
    const { sharedTest, test } = sandboxBenches(make, options)
    sandboxLifeTests(test)
    sandboxExecTests(sharedTest)
    sandboxFileTests(sharedTest)
    if (options.claims.snapshot) sandboxSnapshotTests(test)
    else noSnapshotTests(test)
    sandboxLimitTests(test, options.claims.limits)
    if (options.fetch !== undefined) sandboxReachTests(test, options.fetch)
  })
}
