/** How soon a container is there with its repository: made anew with a clone, and restored from its snapshot. */
import { buildLocalImage, dockerSandboxes } from "@holdfast/adapter-cloud/docker"
import { bridgeProgram } from "@holdfast/bridge/program"
import type { SessionId } from "@holdfast/core"
import { startContainerEngine, startGitServer } from "@holdfast/testkit"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { type CloudHost, startCloudHost } from "./cloudHosts.ts"
import { collect, compare, type Figure } from "./harness.ts"

const rounds = 3

/** The repository: 50 files of 1 MB that cannot be packed any smaller. */
const repositoryFiles = 50

/** Put to rest after this long, in milliseconds. */
const restAfterMs = 200

const outputs = async ({ holdfast }: CloudHost, sessionId: SessionId, beyond: number) => {
  const state = await holdfast.until(
    sessionId,
    ({ chart, terminal }) => (terminal?.offset ?? 0) > beyond || chart.lifecycle === "failed"
  )
  if (state.chart.lifecycle === "failed") throw new Error(state.end?.reason)
  return state.terminal!.offset
}

/** Figures of containers; needs podman and runc, as the tests do. */
export const containerBenchmarks = async (directory: string): Promise<ReadonlyArray<Figure>> => {
  await using engine = await startContainerEngine()
  await using git = await startGitServer()
  const repository = await git.repository("large")
  const files = Array.from({ length: repositoryFiles }, (_, index) => [
    `file-${index}.bin`,
    { content: randomBytes(1_000_000), mode: "100644" as const }
  ])
  await repository.commit("main", Object.fromEntries(files))
  const socket = { socketPath: engine.socketPath }
  await Effect.runPromise(buildLocalImage({ engine: socket, program: bridgeProgram() }))
  const limit = { soft: 4_096, hard: 4_096 }
  const provider = dockerSandboxes({
    engine: socket,
    // The host's own network: its server and git's listen on the loopback interface.
    network: "host",
    ulimits: [
      { name: "nofile", ...limit },
      { name: "nproc", ...limit }
    ]
  })
  const host = await startCloudHost(directory, { provider })
  const spec = {
    inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", "ls | wc -l; sleep 1000"] } },
    workspace: { repository: repository.url, base: "main" },
    hibernateAfterMs: restAfterMs
  }
  const cold: Array<number> = []
  const restored: Array<number> = []
  try {
    for (let round = -1; round < rounds; round++) {
      collect()
      const created = performance.now()
      const { sessionId } = await host.holdfast.create({ backend: "cloud", spec })
      const offset = await outputs(host, sessionId, 0)
      const coldMs = performance.now() - created
      await host.holdfast.until(
        sessionId,
        ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "suspended"
      )
      const opened = performance.now()
      await host.holdfast.command(sessionId, { type: "session.open", data: {} })
      await outputs(host, sessionId, offset)
      if (round >= 0) {
        cold.push(coldMs)
        restored.push(performance.now() - opened)
      }
      await host.holdfast.until(
        sessionId,
        ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "suspended"
      )
    }
  } finally {
    await host.close()
  }
  return [
    compare("container with a clone of 50 MB, restored to first event, to cold", "ms", restored, cold, { atMost: 0.5 })
  ]
}
