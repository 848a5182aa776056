/** Workspaces of tests. */
import { makeSessionId } from "@holdfast/core"
import { startGitServer, type GitServer, type GitServerOptions } from "@holdfast/testkit"
import { Effect } from "effect"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { GitCredentials, PrepareOptions } from "../../src/index.ts"
import { temporaryFolder } from "./workTree.ts"

/** A server that is closed after the test. */
export const serverOfTest = async (options: GitServerOptions = {}): Promise<GitServer> => {
  const server = await startGitServer(options)
  onTestFinished(() => server.close())
  return server
}

/** Options with the credentials that are given, and what was asked for them. */
export const optionsOf = (credentials: GitCredentials | null = null, more: Partial<PrepareOptions> = {}) => {
  const asked: Array<{ readonly operation: string; readonly repository: string }> = []
  const options: PrepareOptions = {
    sessionId: makeSessionId(),
    credentials: (request) =>
      Effect.sync(() => {
        asked.push(request)
        return credentials
      }),
    ...more
  }
  return { options, asked }
}

/** A folder that is not there yet. */
export const newFolder = (): string => join(temporaryFolder(), "work")

/** What an effect failed with. */
export const failureOf = <A, E>(effect: Effect.Effect<A, E>): Promise<E> => Effect.runPromise(Effect.flip(effect))
