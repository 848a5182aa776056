/** What sandboxes need: git, bubblewrap, a container engine, and the program that runs in them. */
import { findProgram } from "@holdfast/process"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { promisify } from "node:util"
import { bridgeFile } from "../sandbox/bridgeFile.ts"
import { sandboxHost } from "../sandbox/SandboxHost.ts"
import type { Finding } from "./Machine.ts"

/** How long a program may take to say its version, and an engine to answer, in milliseconds. */
const answerMs = 5_000

const execute = promisify(execFile)

/** The version that git says; undefined where there is none. */
const gitVersion = Effect.promise(async () => {
  const found = findProgram("git", process.cwd(), { PATH: process.env["PATH"] ?? "" })
  if (!("path" in found)) return undefined
  try {
    return (await execute(found.path, ["--version"], { timeout: answerMs })).stdout.trim()
  } catch {
    return undefined
  }
})

const examineGit: Effect.Effect<Finding> = Effect.map(gitVersion, (version) =>
  version === undefined
    ? {
        check: "git",
        status: "warning",
        detail: "there is no git that works: sandboxes of processes have none either",
        fix: "Install git."
      }
    : { check: "git", status: "ok", detail: version }
)

const examineProgram = (): Finding =>
  existsSync(bridgeFile)
    ? { check: "bridge", status: "ok", detail: "what runs in sandboxes is built" }
    : { check: "bridge", status: "ok", detail: "what runs in sandboxes is built by the first run --cloud" }

/** What to do where a kind of sandbox cannot be used. */
const fixes: { readonly [provider: string]: string } = {
  docker: "Once an engine answers, holdfast sandboxes build makes the image that they need."
}

/** Whether there can be sandboxes here, of each kind. Nothing needs them but `--cloud`. */
export const examineSandboxes = (store: string): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const { providers } = yield* sandboxHost(store)
    const kinds = yield* Effect.forEach(
      providers,
      (provider) =>
        provider.check.pipe(
          Effect.timeoutOrElse({
            duration: answerMs,
            orElse: () => Effect.fail({ detail: `it did not answer within ${answerMs / 1_000} s` })
          }),
          Effect.match({
            onFailure: ({ detail }): Finding => ({
              check: provider.name,
              status: "warning",
              detail: `no ${provider.name} sandboxes: ${detail}`,
              ...(fixes[provider.name] === undefined ? {} : { fix: fixes[provider.name]! })
            }),
            onSuccess: (): Finding => ({
              check: provider.name,
              status: "ok",
              detail: `${provider.name} sandboxes: ${provider.capabilities.isolation}`
            })
          })
        ),
      { concurrency: "unbounded" }
    )
    return [yield* examineGit, examineProgram(), ...kinds]
  })
