/**
 * A container engine to try things with, the same as the tests start for themselves: podman with Docker's API, storage of its
 * own, nothing left afterwards.
 *
 *     npx node --conditions=@holdfast/source scripts/container-engine.ts
 *
 * Prints what `DOCKER_HOST` has to be, and stays until Ctrl-C.
 */
import { startContainerEngine } from "@holdfast/testkit"

const asked = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve())
})

await using engine = await startContainerEngine()
console.log(`DOCKER_HOST=unix://${engine.socketPath}`)
// A signal alone keeps no process alive.
const alive = setInterval(() => undefined, 3_600_000)
await asked
clearInterval(alive)
