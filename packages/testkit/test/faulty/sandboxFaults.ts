/** Providers of sandboxes that break one promise each: processes of this machine behind something that lies. */
import { processSandboxes } from "@holdfast/adapter-cloud/process"
import { type SandboxProvider, SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sandboxProviderSuite, sandboxStandIn } from "../../src/suites.ts"
import type { Fault } from "./Fault.ts"

/** Milliseconds after which a program counts as not starting: twenty times what it takes. */
const deadline = 2_000

type Spoil = (provider: SandboxProvider) => Partial<SandboxProvider>

/** Remembers the owners that there are, so that what was hidden is ended too. */
const watched = (provider: SandboxProvider) => {
  const owners = new Set<string>()
  const seen: SandboxProvider = {
    ...provider,
    create: (request) => Effect.suspend(() => (owners.add(request.owner), provider.create(request)))
  }
  return { owners, seen }
}

const ofSandboxes = (
  name: string,
  breaks: string,
  says: RegExp,
  spoil: Spoil,
  isolation: "none" | "bubblewrap" = "none"
): Fault => ({
  name,
  breaks,
  says,
  register: (title, isFaulty) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-faulty-"))
    const make = Effect.acquireRelease(
      Effect.sync(() => {
        const honest = processSandboxes({
          folder,
          isolation,
          program: ["/bin/sh", "-c", sandboxStandIn]
        })
        const { owners, seen } = watched(honest)
        return { honest, owners, provider: isFaulty ? { ...seen, ...spoil(seen) } : seen }
      }),
      ({ honest, owners }) =>
        Effect.gen(function* () {
          for (const owner of owners) {
            for (const { sandboxId } of yield* honest.list(owner)) yield* honest.destroy(sandboxId)
          }
          rmSync(folder, { recursive: true })
        }).pipe(Effect.orDie)
    ).pipe(Effect.map(({ provider }) => provider))
    sandboxProviderSuite(title, make, {
      claims: { snapshot: true, limits: isolation === "none" ? [] : ["network"] },
      deadline,
      remains: Effect.sync(() => {
        const parent = join(folder, "sandboxes")
        return readdirSync(folder).includes("sandboxes") ? readdirSync(parent) : []
      })
    })
  }
})

const decoder = new TextDecoder()

/** All of them. */
export const sandboxFaults: ReadonlyArray<Fault> = [
  ofSandboxes(
    "makes another sandbox when asked again",
    "gives the same sandbox for the same owner",
    /to deeply equal/,
    (provider) => {
      let asked = 0
      return { create: (request) => provider.create({ ...request, generation: request.generation + asked++ }) }
    }
  ),
  ofSandboxes(
    "lists the sandboxes of everybody",
    "lists the sandboxes of an owner and nobody else's",
    /to deeply equal/,
    (provider) => {
      const owners = new Set<string>()
      return {
        create: (request) => Effect.suspend(() => (owners.add(request.owner), provider.create(request))),
        list: () => Effect.map(Effect.forEach([...owners], provider.list), (each) => each.flat())
      }
    }
  ),
  ofSandboxes(
    "only forgets what it is to destroy",
    "ends everything in a sandbox",
    /nothing is left of it/,
    (provider) => {
      const forgotten = new Set<string>()
      return {
        destroy: (sandboxId) => Effect.sync(() => void forgotten.add(sandboxId)),
        status: (sandboxId) => (forgotten.has(sandboxId) ? Effect.succeed("gone") : provider.status(sandboxId)),
        list: (owner) =>
          Effect.map(provider.list(owner), (all) => all.filter(({ sandboxId }) => !forgotten.has(sandboxId)))
      }
    }
  ),
  ofSandboxes(
    "does not list what was interrupted",
    "leaves nothing that is not listed",
    /nothing is left when interrupted/,
    (provider) => {
      const finished = new Set<string>()
      return {
        create: (request) =>
          Effect.andThen(
            Effect.uninterruptible(provider.create(request)),
            Effect.tap(Effect.delay(provider.create(request), 500), ({ sandboxId }) =>
              Effect.sync(() => finished.add(sandboxId))
            )
          ),
        list: (owner) =>
          Effect.map(provider.list(owner), (all) => all.filter(({ sandboxId }) => finished.has(sandboxId)))
      }
    }
  ),
  ofSandboxes(
    "hands the program's token to whatever is run",
    "keeps what it was given for the program",
    /s3cr3t/,
    (provider) => ({
      exec: (sandboxId, run) =>
        provider.exec(sandboxId, {
          ...run,
          environment: { ...run.environment, HOLDFAST_BRIDGE_TOKEN: "s3cr3t" }
        })
    })
  ),
  ofSandboxes(
    "says that all is well when the time is over",
    "ends what does not end by itself",
    /timedOut/,
    (provider) => ({
      exec: (sandboxId, run) =>
        Effect.map(provider.exec(sandboxId, run), (result) =>
          result.timedOut ? { ...result, timedOut: false, exitCode: 0 } : result
        )
    })
  ),
  ofSandboxes("loses the end of long input", "gives a program its input byte by byte", /isSame/, (provider) => ({
    exec: (sandboxId, run) =>
      provider.exec(sandboxId, run.stdin === undefined ? run : { ...run, stdin: run.stdin.subarray(0, 65_536) })
  })),
  ofSandboxes(
    "cuts output without a word",
    "keeps the beginning of long output",
    /it says that it is cut/,
    (provider) => ({
      exec: (sandboxId, run) => Effect.map(provider.exec(sandboxId, run), (result) => ({ ...result, truncated: false }))
    })
  ),
  ofSandboxes("takes files for text", "come back byte by byte", /of every byte/, (provider) => ({
    getFile: (sandboxId, path) =>
      Effect.map(provider.getFile(sandboxId, path), (bytes) => new TextEncoder().encode(decoder.decode(bytes)))
  })),
  ofSandboxes("says of a missing file that it may come", "are refused with a reason", /unavailable/, (provider) => ({
    getFile: (sandboxId, path) =>
      Effect.mapError(
        provider.getFile(sandboxId, path),
        ({ detail, operation }) =>
          new SandboxProviderError({
            provider: "faulty",
            operation,
            failure: "unavailable",
            detail,
            retryable: true
          })
      )
  })),
  ofSandboxes("restores nothing", "bring back the files as they were", /the program starts within/, (provider) => ({
    restore: (_, request) => provider.create(request)
  })),
  ofSandboxes(
    "leaves out limits without a word",
    "that it does not claim are refused",
    /had to fail as unsupported/,
    (provider) => ({ create: (request) => provider.create({ ...request, limits: {} }) })
  ),
  ofSandboxes(
    "leaves a way out where there is to be none",
    "of the network leave it none",
    /nothing but the loopback interface/,
    (provider) => ({
      create: (request) =>
        provider.create(
          request.controlPlane.startsWith("unix:") ? { ...request, limits: { network: "open" } } : request
        )
    }),
    "bubblewrap"
  )
]
