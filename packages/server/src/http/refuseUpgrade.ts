/** How an upgrade is refused before there is a WebSocket: with a problem, as everything else is. */
import type { Problem } from "@holdfast/core"
import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"

/** Answers, and ends the connection. */
export const refuseUpgrade = (socket: Duplex, why: Problem): void => {
  const body = JSON.stringify(why)
  const retry = why.retryAfterMs === undefined ? "" : `Retry-After: ${Math.ceil(why.retryAfterMs / 1000)}\r\n`
  socket.end(
    `HTTP/1.1 ${why.status} ${STATUS_CODES[why.status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n${retry}Connection: close\r\n\r\n${body}`,
    () => socket.destroy()
  )
}
