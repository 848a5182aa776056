/** E2B's SDK, which is loaded when it is first needed: hosts that do not use it need not install it. */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import type * as E2b from "e2b"
import type { Fail } from "../provider/ProviderErrors.ts"

/** What of it is used. */
export type E2bSdk = Pick<typeof E2b, "ApiClient" | "ConnectionConfig" | "Sandbox">

/** Where the service is, and who asks. */
export interface E2bAccount {
  readonly apiKey: string
  readonly domain?: string
  readonly apiUrl?: string
  readonly sandboxUrl?: string
}

/** Loads the SDK; a module is only ever loaded once. */
export const loadE2bSdk = (
  fail: Fail,
  load: () => Promise<E2bSdk> = () => import("e2b")
): Effect.Effect<E2bSdk, SandboxProviderError> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) =>
      (cause as NodeJS.ErrnoException | undefined)?.code === "ERR_MODULE_NOT_FOUND"
        ? fail("unsupported", `E2B's SDK is not installed: run "npm install e2b" where this app is`, { cause })
        : fail("unsupported", `E2B's SDK cannot be loaded: ${String(cause)}`, { cause })
  })

/** Its settings for our calls: deadlines and tries are ours, and nothing of its debug mode is wanted. */
export const sdkOptions = (account: E2bAccount) => ({ ...account, debug: false, retries: 0, requestTimeoutMs: 0 })
