/** The provider `docker`: what it does with containers and images. */
import type {
  SandboxCondition,
  SandboxInfo,
  SandboxLimits,
  SandboxProvider,
  SandboxProviderError,
  SandboxRequest
} from "@holdfast/core/cloud"
import { Clock, Effect, Option, Schedule } from "effect"
import { randomBytes } from "node:crypto"
import { checkRequest } from "../provider/CheckRequest.ts"
import { getFileByExec, putFileByExec } from "../provider/FilesByExec.ts"
import { type Fail, failing, providerDeadlines, within } from "../provider/ProviderErrors.ts"
import { runDefaults } from "../provider/RunDefaults.ts"
import { makeSerialByKey } from "../provider/SerialByKey.ts"
import {
  type ContainerOptions,
  containerNameOf,
  containerSettings,
  environmentText,
  mountProblem
} from "./ContainerSettings.ts"
import { deadline, type Engine, inspectImage, isNotFound } from "./Engine.ts"
import {
  EngineInfo,
  EngineVersion,
  infoOf,
  InspectedContainer,
  InspectedImage,
  labels,
  ListedContainers,
  snapshotRepository
} from "./EngineAnswers.ts"
import { runInContainer } from "./RunInContainer.ts"
import { makeSnapshotImages } from "./SnapshotImages.ts"

const name = "docker"

/** What it holds to, where the engine's machine can. */
const heldLimits: ReadonlyArray<keyof SandboxLimits> = ["cpus", "memoryBytes", "processes", "network"]

/** How long the engine may take for one step of making a container, which is not interrupted, in milliseconds. */
const stepDeadline = 60_000

/**
 * A container that was made and not started belongs to somebody who is about to start it, unless it is older than this, in
 * milliseconds: then they died.
 */
const startingFor = 60_000

/** A container that ends, or is being removed, is gone in a second or two, ten on a machine that is very busy. */
const removeTries = 100
const removeAgainMs = 100

/** What came of a try to remove a container: it is there still, and why. */
type Removal = "gone" | SandboxProviderError

interface Found {
  readonly info: SandboxInfo
  readonly container: InspectedContainer
}

/** Makes the provider. */
export const makeDockerProvider = (engine: Engine, options: ContainerOptions): SandboxProvider => {
  const serially = makeSerialByKey()
  const images = makeSnapshotImages(engine, options.snapshotLayers)

  const call = <A>(
    operation: string,
    ms: number,
    body: (fail: Fail) => Effect.Effect<A, SandboxProviderError>
  ): Effect.Effect<A, SandboxProviderError> => {
    const fail = failing(name, operation)
    return Effect.suspend(() => body(fail)).pipe(within(fail, ms), Effect.withSpan(`dockerSandboxes.${operation}`))
  }

  /** A container, if there is one that is a sandbox. */
  const look = (fail: Fail, idOrName: string): Effect.Effect<Option.Option<Found>, SandboxProviderError> =>
    engine
      .ask(fail, InspectedContainer, (docker, abortSignal) => docker.getContainer(idOrName).inspect({ abortSignal }))
      .pipe(
        Effect.map((container) =>
          Option.map(infoOf(container.Id, container.State.Status, container.Config.Labels), (info) => ({
            info,
            container
          }))
        ),
        Effect.catchIf(isNotFound, () => Effect.succeed(Option.none<Found>()))
      )

  const find = (fail: Fail, sandboxId: string) =>
    /^[0-9a-f]{64}$/.test(sandboxId) ? look(fail, sandboxId) : Effect.succeed(Option.none<Found>())

  const known = (fail: Fail, sandboxId: string) =>
    Effect.flatMap(
      find(fail, sandboxId),
      Option.match({
        onNone: () => Effect.fail(fail("not_found", "there is no such sandbox")),
        onSome: (found) => Effect.succeed(found)
      })
    )

  /**
   * Returns when it is gone. Somebody else may be removing it already, and podman has an error for one that ends just now: while
   * it is there, that is tried again.
   */
  const remove = (fail: Fail, idOrName: string): Effect.Effect<void, SandboxProviderError> =>
    engine
      .call(fail, (docker, abortSignal) => docker.getContainer(idOrName).remove({ force: true, v: true, abortSignal }))
      .pipe(
        Effect.as<Removal>("gone"),
        Effect.catch((error) =>
          isNotFound(error)
            ? Effect.succeed<Removal>("gone")
            : Effect.map(look(fail, idOrName), (there): Removal => (Option.isNone(there) ? "gone" : error))
        ),
        Effect.repeat({
          while: (removal) =>
            removal !== "gone" && (removal.failure === "invalid" || removal.failure === "unavailable"),
          schedule: Schedule.spaced(removeAgainMs),
          times: removeTries - 1
        }),
        Effect.flatMap((removal) => (removal === "gone" ? Effect.void : Effect.fail(removal)))
      )

  /** What the engine's machine cannot hold is refused, where a warning in its log would be all. */
  const checkLimits = Effect.fnUntraced(function* (fail: Fail, limits: SandboxLimits) {
    if (limits.cpus === undefined && limits.memoryBytes === undefined && limits.processes === undefined) return
    const can = yield* engine.ask(fail, EngineInfo, (docker) => docker.info())
    for (const [limit, holds] of [
      ["cpus", can.CpuCfsQuota],
      ["memoryBytes", can.MemoryLimit],
      ["processes", can.PidsLimit]
    ] as const) {
      if (limits[limit] !== undefined && holds === false) {
        return yield* fail("unsupported", `the engine's machine cannot hold to a limit of ${limit} (see docker info)`)
      }
    }
  })

  const checkMounts = (fail: Fail): Effect.Effect<void, SandboxProviderError> => {
    const problem = mountProblem(options.mounts)
    return problem === undefined ? Effect.void : Effect.fail(fail("invalid", problem))
  }

  const isPodman = (fail: Fail) =>
    Effect.map(
      engine.ask(fail, EngineVersion, (docker) => docker.version()),
      ({ Components }) => (Components ?? []).some((component) => component.Name === "Podman Engine")
    )

  /** Makes the container and starts it. Not interrupted between two steps; a failed step takes back the ones before. */
  const begin = (
    fail: Fail,
    settings: ReturnType<typeof containerSettings>["settings"],
    environment: Readonly<Record<string, string>>
  ): Effect.Effect<string, SandboxProviderError> =>
    Effect.acquireUseRelease(
      engine.call(fail, (docker) =>
        deadline(stepDeadline, (abortSignal) => docker.createContainer({ ...settings, abortSignal }))
      ),
      (container) =>
        Effect.as(
          engine.call(fail, (docker) =>
            deadline(stepDeadline, async (abortSignal) => {
              const made = docker.getContainer(container.id)
              const input = await made.attach({ stream: true, hijack: true, stdin: true, abortSignal })
              try {
                await made.start({ abortSignal })
                await new Promise<void>((resolve, reject) => {
                  input.once("error", reject)
                  input.end(environmentText(environment), () => resolve())
                })
              } finally {
                // The engine may close it first.
                input.on("error", () => undefined)
                ;(input as unknown as { destroySoon: () => void }).destroySoon()
              }
            })
          ),
          container.id
        ).pipe(Effect.uninterruptible),
      (container, exit) => (exit._tag === "Failure" ? remove(fail, container.id) : Effect.void)
    )

  const make = Effect.fnUntraced(function* (fail: Fail, request: SandboxRequest, snapshotId?: string) {
    const checked = checkRequest(fail, request, heldLimits)
    if ("error" in checked) return yield* checked.error
    yield* checkLimits(fail, { ...options.limits, ...request.limits })
    yield* checkMounts(fail)
    const containerName = containerNameOf(request)
    const image = snapshotId === undefined ? (request.image ?? options.image) : `${snapshotRepository}:${snapshotId}`
    if (snapshotId !== undefined && !(yield* images.has(fail, snapshotId))) {
      return yield* fail("not_found", "there is no such snapshot")
    }
    const podman = yield* isPodman(fail)
    return yield* serially(
      containerName,
      Effect.gen(function* () {
        const there = yield* look(fail, containerName)
        const now = yield* Clock.currentTimeMillis
        if (Option.isSome(there)) {
          const { info } = there.value
          if (info.condition !== "starting" || now - info.createdAt < startingFor) return info
          yield* remove(fail, info.sandboxId)
        }
        const { environment, settings } = containerSettings(options, request, image, checked.controlPlane, podman, now)
        const made = yield* begin(fail, settings, environment).pipe(
          Effect.map(Option.some),
          Effect.catch((error) =>
            // Another host may have been first: the name is taken, which each engine says in its own way.
            Effect.flatMap(look(fail, containerName), (other) =>
              Option.isSome(other)
                ? Effect.succeed(Option.none<string>())
                : Effect.fail(missingImage(fail, error, image))
            )
          )
        )
        const found = yield* look(
          fail,
          Option.getOrElse(made, () => containerName)
        )
        if (Option.isNone(found)) return yield* fail("unavailable", "it was removed as soon as it was made")
        return found.value.info
      })
    )
  })

  const run = Effect.fnUntraced(function* (
    fail: Fail,
    sandboxId: string,
    asked: Parameters<SandboxProvider["exec"]>[1]
  ) {
    const { info } = yield* known(fail, sandboxId)
    if (info.condition !== "running") return yield* fail("invalid", "the sandbox does not run")
    return yield* runInContainer(engine, fail, sandboxId, asked)
  })

  return {
    name,
    capabilities: {
      snapshot: true,
      dialIn: false,
      limits: heldLimits,
      isolation:
        "A container: a file system, processes and users of its own, no capabilities, no new privileges, and the limits " +
        "that it was given. The kernel is the host's, and with a network it reaches what the engine's network reaches."
    },
    check: call("check", providerDeadlines.ask, (fail) =>
      Effect.andThen(
        Effect.andThen(checkMounts(fail), checkLimits(fail, options.limits)),
        engine
          .ask(fail, InspectedImage, (docker, abortSignal) => inspectImage(docker, options.image, abortSignal))
          .pipe(
            Effect.asVoid,
            Effect.mapError((error) => missingImage(fail, error, options.image))
          )
      )
    ),
    create: (request) => call("create", providerDeadlines.create, (fail) => make(fail, request)),
    restore: (snapshotId, request) =>
      call("restore", providerDeadlines.copy, (fail) => make(fail, request, snapshotId)),
    list: (owner) =>
      call("list", providerDeadlines.ask, (fail) =>
        Effect.map(
          engine.ask(fail, ListedContainers, (docker, abortSignal) =>
            docker.listContainers({ all: true, filters: { label: [`${labels.owner}=${owner}`] }, abortSignal })
          ),
          (listed) =>
            listed.flatMap((each): ReadonlyArray<SandboxInfo> =>
              Option.toArray(infoOf(each.Id, each.State, each.Labels)).filter((info) => info.owner === owner)
            )
        )
      ),
    status: (sandboxId) =>
      call("status", providerDeadlines.ask, (fail) =>
        Effect.map(
          find(fail, sandboxId),
          Option.match({
            onNone: (): SandboxCondition => "gone",
            onSome: ({ info }): SandboxCondition => info.condition
          })
        )
      ),
    exec: (sandboxId, asked) =>
      call("exec", (asked.timeoutMs ?? runDefaults.timeoutMs) + providerDeadlines.execExtra, (fail) =>
        run(fail, sandboxId, asked)
      ),
    putFile: (sandboxId, path, content, mode) =>
      call("putFile", providerDeadlines.file + providerDeadlines.execExtra, (fail) =>
        putFileByExec(fail, (asked) => run(fail, sandboxId, asked), path, content, mode)
      ),
    getFile: (sandboxId, path) =>
      call("getFile", providerDeadlines.file + providerDeadlines.execExtra, (fail) =>
        getFileByExec(fail, (asked) => run(fail, sandboxId, asked), path)
      ),
    snapshot: (sandboxId) =>
      call("snapshot", providerDeadlines.copy, (fail) =>
        Effect.gen(function* () {
          const { container, info } = yield* known(fail, sandboxId)
          const { owner, sessionId } = info
          const snapshotId = randomBytes(16).toString("hex")
          const createdAt = yield* Clock.currentTimeMillis
          yield* images.take(fail, container, snapshotId, createdAt)
          return { snapshotId, owner, sessionId, createdAt }
        })
      ),
    snapshots: (owner) => call("snapshots", providerDeadlines.ask, (fail) => images.list(fail, owner)),
    removeSnapshot: (snapshotId) =>
      call("removeSnapshot", providerDeadlines.destroy, (fail) => images.remove(fail, snapshotId)),
    destroy: (sandboxId) =>
      call("destroy", providerDeadlines.destroy, (fail) =>
        Effect.flatMap(
          find(fail, sandboxId),
          Option.match({
            onNone: () => Effect.void,
            onSome: ({ info }) => Effect.andThen(remove(fail, sandboxId), images.sweep(fail, info.owner))
          })
        )
      )
  }
}

const missingImage = (fail: Fail, error: SandboxProviderError, image: string): SandboxProviderError =>
  isNotFound(error)
    ? fail("invalid", `the engine has no image ${image}: build it (buildSandboxImage), or pull it`, {
        cause: error.cause
      })
    : error
