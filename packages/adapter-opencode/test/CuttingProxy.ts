/** A proxy in front of a server, which breaks connections where a test says so. */
import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** The proxy. */
export interface CuttingProxy {
  readonly url: string
  /** Streams of events that were cut so far. */
  readonly cuts: () => number
  /** Cuts the streams of events that are open, and each later one after as many bytes as this gives next; undefined: no more. */
  readonly cutStreams: (next: () => number | undefined) => void
  /** Lets the next request whose path ends so pass, and breaks the connection instead of answering. */
  readonly loseAnswer: (pathEnd: string) => void
  /** Breaks the connection of the next request whose path ends so, which does not reach the server. */
  readonly loseRequest: (pathEnd: string) => void
  /** Answers the next request whose path ends so with 204, and does not pass it on. */
  readonly swallow: (pathEnd: string) => void
}

/** Starts one. */
export const startCuttingProxy = (target: string): Effect.Effect<CuttingProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    let cuts = 0
    let nextCut: () => number | undefined = () => undefined
    const streams = new Set<ServerResponse>()
    const lostAnswers: Array<string> = []
    const lostRequests: Array<string> = []
    const swallowed: Array<string> = []
    const take = (list: Array<string>, path: string) => {
      const at = list.findIndex((end) => path.endsWith(end))
      return at !== -1 && list.splice(at, 1).length > 0
    }

    const forward = (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const path = new URL(incoming.url ?? "/", target).pathname
      if (take(lostRequests, path)) return void incoming.socket.destroy()
      if (take(swallowed, path)) return void incoming.resume().on("end", () => outgoing.writeHead(204).end())
      const losesAnswer = take(lostAnswers, path)
      const { host: _, ...headers } = incoming.headers
      const onward = request(new URL(incoming.url ?? "/", target), { method: incoming.method ?? "GET", headers })
      onward.on("error", () => outgoing.destroy())
      outgoing.on("close", () => {
        streams.delete(outgoing)
        onward.destroy()
      })
      onward.on("response", (answer) => {
        answer.on("error", () => outgoing.destroy())
        if (losesAnswer) {
          answer.resume()
          answer.on("end", () => incoming.socket.destroy())
          return
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        outgoing.flushHeaders()
        let left = path === "/event" ? nextCut() : undefined
        if (path === "/event") streams.add(outgoing)
        answer.on("data", (chunk: Buffer) => {
          const part = left === undefined ? chunk : chunk.subarray(0, left)
          if (left !== undefined) left -= part.byteLength
          outgoing.write(part)
          if (left !== 0) return
          cuts += 1
          outgoing.destroy()
        })
        answer.on("end", () => outgoing.end())
      })
      incoming.pipe(onward)
    }

    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const started = createServer(forward)
        started.listen(0, "127.0.0.1", () => resume(Effect.succeed(started)))
      }),
      (started) =>
        Effect.callback<void>((resume) => {
          started.close(() => resume(Effect.void))
          started.closeAllConnections()
        })
    )
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      cuts: () => cuts,
      cutStreams: (next) => {
        nextCut = next
        for (const stream of streams) stream.destroy()
      },
      loseAnswer: (pathEnd) => lostAnswers.push(pathEnd),
      loseRequest: (pathEnd) => lostRequests.push(pathEnd),
      swallow: (pathEnd) => swallowed.push(pathEnd)
    }
  })
