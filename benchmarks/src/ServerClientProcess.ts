/** A handle of the process in which clients run. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import type { ClientAnswers, ClientJob } from "./serverClients.ts"

/** The process. One job at a time. */
export interface ServerClientProcess {
  readonly ask: <J extends ClientJob>(job: J) => Promise<ClientAnswers[J["do"]]>
  /** Resolves once all clients that read have got so many events since they were opened. */
  readonly reached: (events: number) => Promise<void>
  readonly close: () => Promise<void>
}

type Said =
  { readonly answer: ClientAnswers[ClientJob["do"]] } | { readonly error: string } | { readonly progress: number }

/** Starts it. */
export const startClients = (): ServerClientProcess => {
  const child = fork(join(import.meta.dirname, "serverClients.ts"), { execArgv: process.execArgv })
  const exited = once(child, "exit")
  let answered = Promise.withResolvers<ClientAnswers[ClientJob["do"]]>()
  let progress = 0
  let waiting: { readonly events: number; readonly done: PromiseWithResolvers<void> } | undefined
  child.on("message", (said: Said) => {
    if ("answer" in said) return answered.resolve(said.answer)
    if ("error" in said) return answered.reject(new Error(said.error))
    progress = said.progress
    if (waiting !== undefined && progress >= waiting.events) waiting.done.resolve()
  })
  child.on("exit", (code) => {
    const error = new Error(`The clients' process ended with ${code}`)
    answered.reject(error)
    waiting?.done.reject(error)
  })
  return {
    ask: (job) => {
      answered = Promise.withResolvers()
      if (job.do === "open") progress = 0
      child.send(job)
      return answered.promise as Promise<never>
    },
    reached: async (events) => {
      if (progress >= events) return
      waiting = { events, done: Promise.withResolvers() }
      await waiting.done.promise
      waiting = undefined
    },
    close: async () => {
      child.disconnect()
      await exited
    }
  }
}
