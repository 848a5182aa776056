/** A real server with terminals and a scripted agent, and what tests of the client wait with. */
import { ptyBackend } from "@holdfast/adapter-pty"
import type { Live } from "@holdfast/client"
import { layerMemory } from "@holdfast/core"
import { type PlainServer, serve, type ServeOptions } from "@holdfast/server"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { SignJWT } from "jose"

/** 48 bytes that both sides know. */
export const secret = "a secret that is only known to these very tests!"

/** A token for somebody, good for so many seconds. */
export const tokenFor = (sub: string, seconds: number, roles: ReadonlyArray<string> = ["owner"]): Promise<string> =>
  new SignJWT({ name: sub, roles })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(sub)
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(secret))

/** Opens a server on a free port, or the one that is given. */
export const openServer = (options: Partial<ServeOptions> = {}): Promise<PlainServer> => {
  const agent = scriptedBackend({
    name: "agent",
    capabilities: {
      prompts: true,
      steer: true,
      interrupt: true,
      permissions: true,
      questions: true,
      fork: true,
      workspace: true
    },
    openings: scriptedAgents()
  })
  return serve({
    port: 0,
    retryAfterMs: 50,
    ...options,
    holdfast: options.holdfast ?? { store: layerMemory, backends: [ptyBackend(), agent] }
  })
}

/** Waits until a live value is so, and gives it. */
export const until = async <A>(live: Live<A>, fits: (value: A) => boolean): Promise<A> => {
  for await (const value of live) if (fits(value)) return value
  throw new Error("it ended before it was so")
}
