/** What is read of the engine's answers (Docker Engine API 1.41), and the labels by which sandboxes are known again. */
import { SessionId } from "@holdfast/core"
import type { SandboxInfo, SnapshotInfo } from "@holdfast/core/cloud"
import { Option, Schema } from "effect"

/** Labels of containers and images. */
export const labels = {
  owner: "dev.holdfast.owner",
  session: "dev.holdfast.session",
  generation: "dev.holdfast.generation",
  /** Milliseconds since 1970. */
  created: "dev.holdfast.created",
  /** When a snapshot was taken, the same way. */
  snapshot: "dev.holdfast.snapshot"
} as const

const Labels = Schema.NullOr(Schema.Record(Schema.String, Schema.String))

/** `GET /containers/{id}/json`. */
export const InspectedContainer = Schema.Struct({
  Id: Schema.String,
  Image: Schema.String,
  State: Schema.Struct({ Status: Schema.String }),
  Config: Schema.Struct({ Labels })
})
export type InspectedContainer = typeof InspectedContainer.Type

/** `GET /containers/json`. */
export const ListedContainers = Schema.Array(Schema.Struct({ Id: Schema.String, State: Schema.String, Labels }))

/** `GET /images/json`. */
export const ListedImages = Schema.Array(
  Schema.Struct({
    Id: Schema.String,
    RepoTags: Schema.NullOr(Schema.Array(Schema.String)),
    Labels,
    Size: Schema.optionalKey(Schema.Number)
  })
)

/** `GET /images/{name}/json`. */
export const InspectedImage = Schema.Struct({
  Id: Schema.String,
  RootFS: Schema.Struct({ Layers: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))) }),
  Config: Schema.NullOr(
    Schema.Struct({
      User: Schema.optionalKey(Schema.String),
      WorkingDir: Schema.optionalKey(Schema.String),
      Env: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))
    })
  )
})

/** `GET /exec/{id}/json`. */
export const InspectedExec = Schema.Struct({
  Running: Schema.Boolean,
  ExitCode: Schema.optionalKey(Schema.NullOr(Schema.Int))
})

/** `GET /version`: podman names itself among the components. */
export const EngineVersion = Schema.Struct({
  Components: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Struct({ Name: Schema.String }))))
})

/** `GET /info`: which limits the machine can hold. */
export const EngineInfo = Schema.Struct({
  MemoryLimit: Schema.optionalKey(Schema.Boolean),
  PidsLimit: Schema.optionalKey(Schema.Boolean),
  CpuCfsQuota: Schema.optionalKey(Schema.Boolean)
})

const isSessionId = Schema.is(SessionId)

/** A sandbox by its labels; none where it is no sandbox of ours. */
export const infoOf = (
  id: string,
  state: string,
  told: Readonly<Record<string, string>> | null
): Option.Option<SandboxInfo> => {
  const [owner, sessionId, generation, createdAt] = [
    told?.[labels.owner],
    told?.[labels.session],
    Number(told?.[labels.generation]),
    Number(told?.[labels.created])
  ]
  if (owner === undefined || !isSessionId(sessionId) || !Number.isInteger(generation) || Number.isNaN(createdAt)) {
    return Option.none()
  }
  return Option.some({ sandboxId: id, owner, sessionId, generation, condition: conditionOf(state), createdAt })
}

/** What a container's state is to a sandbox. One that is only made is started next. */
export const conditionOf = (state: string): SandboxInfo["condition"] => {
  switch (state) {
    case "created":
    case "configured":
    case "initialized":
      return "starting"
    case "running":
    case "paused":
    case "restarting":
      return "running"
    default:
      return "stopped"
  }
}

/** The repository of snapshots' images; the tag is the snapshot's id. */
export const snapshotRepository = "holdfast/snapshot"

/** The repository of images that were removed while something still needed them. */
export const removedRepository = "holdfast/removed"

/** The ids by which a repository's images are tagged, whatever registry the engine thinks they are of. */
export const tagsOf = (repository: string, tags: ReadonlyArray<string> | null): ReadonlyArray<string> =>
  (tags ?? []).flatMap((tag) => {
    const at = tag.lastIndexOf(":")
    const name = tag.slice(0, at)
    return name === repository || name.endsWith(`/${repository}`) ? [tag.slice(at + 1)] : []
  })

/** A snapshot by its image. */
export const snapshotOf = (image: (typeof ListedImages.Type)[number]): ReadonlyArray<SnapshotInfo> => {
  const [owner, sessionId, createdAt] = [
    image.Labels?.[labels.owner],
    image.Labels?.[labels.session],
    Number(image.Labels?.[labels.snapshot])
  ]
  if (owner === undefined || !isSessionId(sessionId) || Number.isNaN(createdAt)) return []
  return tagsOf(snapshotRepository, image.RepoTags).map((snapshotId) => ({
    snapshotId,
    owner,
    sessionId,
    createdAt,
    ...(image.Size === undefined ? {} : { bytes: image.Size })
  }))
}
