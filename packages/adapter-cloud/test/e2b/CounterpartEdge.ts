/** The edge of the E2B COUNTERPART for tests: brings requests to the daemons of its sandboxes, as E2B's proxy does. */
import { type IncomingMessage, request, ServerResponse } from "node:http"
import type { Daemon } from "./CounterpartSandbox.ts"

/** Passes a request on to a sandbox's daemon. Where there is none, it answers as E2B's edge. */
export const passOn = (
  socketPath: string | undefined,
  id: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  body: Buffer
): unknown => {
  const unreachable = (message: string) =>
    response
      .writeHead(502, { "content-type": "application/json" })
      .end(JSON.stringify({ sandboxId: id, message, code: 502 }))
  if (socketPath === undefined) return unreachable("The sandbox was not found")
  const { headers, method, url } = incoming
  const passed = request({ socketPath, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(response)
    answer.once("error", () => response.destroy())
  })
  passed.once("error", () =>
    response.headersSent ? response.destroy() : unreachable("The sandbox is running but port is not open")
  )
  response.once("close", () => passed.destroy())
  return passed.end(body)
}

/** Starts a program of a snapshot's memory again. */
export const resume = (socketPath: string, token: string, { argv, env }: Daemon): Promise<void> =>
  new Promise((resolve, reject) => {
    const [cmd, ...args] = argv
    const message = Buffer.from(JSON.stringify({ process: { cmd, args, envs: env } }))
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    request(
      {
        socketPath,
        method: "POST",
        path: "/process.Process/Start",
        headers: { "x-access-token": token, "content-type": "application/connect+json" }
      },
      (answer) => {
        // The first message says that it has started; it goes on without us.
        answer.once("data", () => {
          answer.destroy()
          resolve()
        })
      }
    )
      .once("error", reject)
      .end(Buffer.concat([head, message]))
  })

/** An answer that nobody gets. */
export const unsent = (incoming: IncomingMessage): ServerResponse => new ServerResponse(incoming)
