/** Builds the image of sandboxes: a base image with the bridge in it. */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Fail, failing, fileFailure, within } from "../provider/ProviderErrors.ts"
import { sandboxPlaces, sandboxUser } from "../provider/SandboxPlaces.ts"
import { makeEngine } from "./Engine.ts"
import type { DockerEngineOptions } from "./EngineOptions.ts"
import { followImport } from "./ImageStream.ts"

/** Options of {@link buildSandboxImage}. */
export interface SandboxImageOptions {
  readonly engine?: DockerEngineOptions
  /** The bridge's one file, `holdfast-bridge.mjs`: `bridgeProgram()` of `@holdfast/bridge/program`. */
  readonly program: string
  /**
   * The image to build on, with Node 22.19 or newer, `git`, `/bin/sh` and the usual small programs: `node:24-bookworm`. The
   * engine pulls it if it has to.
   */
  readonly base: string
  /** npm packages that are installed for all users, with versions: `@openai/codex@0.169.0`. */
  readonly agents?: ReadonlyArray<string>
  /** Default `holdfast/sandbox`. */
  readonly name?: string
}

/** How long a build may take: 15 minutes, for a pull and an installation. */
const buildDeadline = 900_000

/** Names of npm packages with versions, and nothing that a shell takes for more. */
const packageName = /^(@[a-z0-9._-]+\/)?[a-z0-9._-]+(@[A-Za-z0-9.^~+_-]+)?$/

const { id, name: user } = sandboxUser

const dockerfile = (base: string, agents: ReadonlyArray<string>) => `FROM ${base}
USER root
${agents.length === 0 ? "" : `RUN npm install --global --no-audit --no-fund ${agents.join(" ")}\n`}COPY holdfast-bridge.mjs ${sandboxPlaces.program}
RUN grep -q '^${user}:' /etc/group || echo '${user}:x:${id}:' >>/etc/group; \\
    grep -q '^${user}:' /etc/passwd || echo '${user}:x:${id}:${id}::${sandboxPlaces.home}:/bin/sh' >>/etc/passwd; \\
    mkdir -p ${sandboxPlaces.home} ${sandboxPlaces.workspace} ${sandboxPlaces.data} && \\
    chown ${id}:${id} ${sandboxPlaces.home} ${sandboxPlaces.workspace} ${sandboxPlaces.data} && \\
    chmod 644 ${sandboxPlaces.program}
USER ${user}
WORKDIR ${sandboxPlaces.workspace}
ENTRYPOINT []
CMD ["node", "${sandboxPlaces.program}"]
`

/** Builds it, and gives its name. An image of the same name gives way to it. Fails as `invalid` with the end of the build's output. */
export const buildSandboxImage = (options: SandboxImageOptions): Effect.Effect<string, SandboxProviderError> => {
  const fail: Fail = failing("docker", "build an image")
  const { agents = [], base, name = "holdfast/sandbox", program } = options
  return Effect.gen(function* () {
    const wrong = agents.find((each) => !packageName.test(each))
    if (wrong !== undefined) return yield* fail("invalid", `${JSON.stringify(wrong)} is no name of an npm package`)
    if (!/^[\w./:@-]+$/.test(base)) return yield* fail("invalid", `${JSON.stringify(base)} is no name of an image`)
    const engine = makeEngine(options.engine ?? {})
    const attempt = <A>(what: string, evaluate: () => Promise<A>) =>
      Effect.tryPromise({ try: evaluate, catch: (cause) => fileFailure(fail, cause, what) })
    yield* Effect.acquireUseRelease(
      attempt("no temporary folder", () => mkdtemp(join(tmpdir(), "holdfast-image-"))),
      (context) =>
        Effect.andThen(
          attempt("the build's files", async () => {
            await copyFile(program, join(context, "holdfast-bridge.mjs"))
            await writeFile(join(context, "Dockerfile"), dockerfile(base, agents))
          }),
          engine.call(fail, async (docker, abortSignal) => {
            const answer = await docker.buildImage(
              { context, src: ["Dockerfile", "holdfast-bridge.mjs"] },
              { t: name, rm: true, forcerm: true, abortSignal }
            )
            await followImport(docker, answer)
          })
        ),
      (context) => attempt("a temporary folder", () => rm(context, { recursive: true, force: true }))
    )
    return name
  }).pipe(within(fail, buildDeadline))
}
