/** Snapshots as images: taken from containers, listed, and removed as soon as nothing needs them. */
import type { SandboxProviderError, SnapshotInfo } from "@holdfast/core/cloud"
import { Effect } from "effect"
import type { Fail } from "../provider/ProviderErrors.ts"
import { type Engine, inspectImage, isNotFound } from "./Engine.ts"
import {
  type InspectedContainer,
  InspectedImage,
  labels,
  ListedImages,
  removedRepository,
  snapshotOf,
  snapshotRepository,
  tagsOf
} from "./EngineAnswers.ts"
import { followImport } from "./ImageStream.ts"

/** Snapshots of an engine. */
export interface SnapshotImages {
  readonly has: (fail: Fail, snapshotId: string) => Effect.Effect<boolean, SandboxProviderError>
  readonly take: (
    fail: Fail,
    container: InspectedContainer,
    snapshotId: string,
    createdAt: number
  ) => Effect.Effect<void, SandboxProviderError>
  readonly list: (fail: Fail, owner: string) => Effect.Effect<ReadonlyArray<SnapshotInfo>, SandboxProviderError>
  readonly remove: (fail: Fail, snapshotId: string) => Effect.Effect<void, SandboxProviderError>
  /** Removes for good what was removed while a container still stood on it. */
  readonly sweep: (fail: Fail, owner: string) => Effect.Effect<void, SandboxProviderError>
}

const isSnapshotId = (text: string) => /^[0-9a-f]{32}$/.test(text)

/** Snapshots of an engine. */
export const makeSnapshotImages = (engine: Engine, mostLayers: number): SnapshotImages => {
  const inspect = (fail: Fail, image: string) =>
    engine.ask(fail, InspectedImage, (docker, abortSignal) => inspectImage(docker, image, abortSignal))

  const listed = (fail: Fail, owner: string) =>
    engine.ask(fail, ListedImages, (docker, abortSignal) =>
      docker.listImages({ filters: { label: [`${labels.owner}=${owner}`] }, abortSignal })
    )

  /** Without force: with it, podman also removes the containers. */
  const untag = (fail: Fail, image: string) =>
    engine.call(fail, (docker, abortSignal) => docker.getImage(image).remove({ abortSignal }))

  const take: SnapshotImages["take"] = (fail, container, snapshotId, createdAt) =>
    Effect.gen(function* () {
      const base = yield* inspect(fail, container.Image)
      const label = `LABEL ${labels.snapshot}=${createdAt}`
      if ((base.RootFS.Layers ?? []).length < mostLayers) {
        yield* engine.call(fail, (docker, abortSignal) =>
          docker.getContainer(container.Id).commit({
            repo: snapshotRepository,
            tag: snapshotId,
            pause: true,
            changes: [label],
            abortSignal
          })
        )
        return
      }
      const { Env, User, WorkingDir } = base.Config ?? {}
      const told = Object.entries(container.Config.Labels ?? {}).filter(([name]) => name.startsWith("dev.holdfast."))
      const changes = [
        ...told
          .filter(([name]) => name !== labels.snapshot)
          .map(([name, value]) => `LABEL ${name}=${JSON.stringify(value)}`),
        label,
        ...(Env ?? []).map(
          (entry) => `ENV ${entry.slice(0, entry.indexOf("="))}=${JSON.stringify(entry.slice(entry.indexOf("=") + 1))}`
        ),
        ...(User === undefined || User === "" ? [] : [`USER ${User}`]),
        ...(WorkingDir === undefined || WorkingDir === "" ? [] : [`WORKDIR ${WorkingDir}`])
      ]
      yield* engine.call(fail, async (docker, abortSignal) => {
        const files = await docker.getContainer(container.Id).export({ abortSignal })
        const answer = await docker.importImage(files, {
          repo: `${snapshotRepository}:${snapshotId}`,
          changes,
          abortSignal
        })
        await followImport(docker, answer)
      })
    })

  const sweep: SnapshotImages["sweep"] = (fail, owner) =>
    Effect.flatMap(listed(fail, owner), (images) =>
      Effect.forEach(
        images.flatMap(({ RepoTags }) => tagsOf(removedRepository, RepoTags)),
        // Another container stands on it: its end removes it.
        (tag) => Effect.ignore(untag(fail, `${removedRepository}:${tag}`)),
        { discard: true }
      )
    )

  return {
    has: (fail, snapshotId) =>
      isSnapshotId(snapshotId)
        ? inspect(fail, `${snapshotRepository}:${snapshotId}`).pipe(
            Effect.as(true),
            Effect.catchIf(isNotFound, () => Effect.succeed(false))
          )
        : Effect.succeed(false),
    take,
    list: (fail, owner) =>
      Effect.map(listed(fail, owner), (images) => images.flatMap(snapshotOf).filter((each) => each.owner === owner)),
    remove: (fail, snapshotId) => {
      if (!isSnapshotId(snapshotId)) return Effect.void
      const image = `${snapshotRepository}:${snapshotId}`
      return untag(fail, image).pipe(
        Effect.catchIf(
          ({ failure }) => failure === "invalid",
          // In use. It gets another name, by which it is removed when its last container is.
          () =>
            Effect.andThen(
              engine.call(fail, (docker, abortSignal) =>
                docker.getImage(image).tag({ repo: removedRepository, tag: snapshotId, abortSignal })
              ),
              untag(fail, image)
            )
        ),
        Effect.catchIf(isNotFound, () => Effect.void),
        Effect.asVoid
      )
    },
    sweep
  }
}
