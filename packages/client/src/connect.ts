/** Makes clients. */
import {
  BackendAnswer,
  type ConnectionLimits,
  Identity,
  makeCommandId,
  makeSessionId,
  Receipt,
  SessionId,
  SessionsAnswer,
  type ServerMessage
} from "@holdfast/core"
import * as Schema from "effect/Schema"
import { ClientError, clientError } from "./ClientError.ts"
import type { ClientSession } from "./ClientSession.ts"
import { Connection } from "./Connection.ts"
import type { ConnectOptions, HoldfastClient } from "./HoldfastClient.ts"
import { HttpCaller } from "./HttpCaller.ts"
import { Keystrokes } from "./Keystrokes.ts"
import { makeSession } from "./makeSession.ts"
import { PendingCommands } from "./PendingCommands.ts"
import { SendPace } from "./SendPace.ts"
import { SessionChannel } from "./SessionChannel.ts"
import { SessionLists } from "./SessionLists.ts"
import { Subscriptions } from "./Subscriptions.ts"
import { TokenSource } from "./TokenSource.ts"

/** Default pauses between attempts. */
const defaultReconnect = { minMs: 250, maxMs: 15_000 }

/** How long an HTTP call may take. */
const defaultTimeoutMs = 30_000

/** How long it may take to ask why no socket could be opened. */
const whyNotMs = 5_000

const isSessionId = Schema.is(SessionId)
const BackendsAnswer = Schema.Array(BackendAnswer)

/** Connects to a server, and stays connected until the client is closed. Throws `ClientError` where `url` is none. */
export const connect = (options: ConnectOptions): HoldfastClient => {
  const { token } = options
  const onError = options.onListenerError ?? throwLater
  const url = apiUrl(options.url)
  const tokens = new TokenSource(token)
  const http = new HttpCaller({
    url,
    tokens,
    // Called as a function of nothing: a browser's own refuses to be a method.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs
  })
  const channels = new Map<SessionId, SessionChannel>()
  const keystrokes = new Map<SessionId, Keystrokes>()
  let limits: ConnectionLimits | undefined

  const pace = new SendPace(() => {
    commands.pump()
    for (const typed of keystrokes.values()) typed.pump()
  })
  const commands = new PendingCommands(pace, (text) => connection.sendText(text))
  const subscriptions = new Subscriptions({
    send: (message) => connection.send(message),
    onTyped: (commandId) => {
      for (const typed of keystrokes.values()) if (typed.onTyped(commandId)) return
    }
  })
  const lists = new SessionLists({
    send: (message) => connection.send(message),
    nextNumber: () => subscriptions.nextNumber(),
    isConnected: () => connection.isConnected,
    onError
  })

  const onMessage = (message: ServerMessage): void => {
    switch (message.type) {
      case "subscribed":
        return subscriptions.onSubscribed(message)
      case "unsubscribed":
        if (!lists.onUnsubscribed(message.subscription, message.problem)) subscriptions.onUnsubscribed(message)
        return
      case "sessions":
        return lists.onSessions(message)
      case "receipt":
        return commands.onReceipt(message.commandId, message.receipt)
      case "rejected":
        for (const typed of keystrokes.values()) {
          if (typed.onRejected(message.commandId, message.problem)) return
        }
        return commands.onRejected(message.commandId, message.problem)
      case "presence":
        return subscriptions.onPresence(message)
    }
  }

  const connection = new Connection({
    url: `${url.replace(/^http/, "ws")}/live`,
    tokens,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    minMs: Math.max(1, options.reconnect?.minMs ?? defaultReconnect.minMs),
    maxMs: Math.max(1, options.reconnect?.maxMs ?? defaultReconnect.maxMs),
    whyNot: async () => {
      try {
        await http.json(Identity, { method: "GET", path: "/me", timeoutMs: whyNotMs, repeatable: false })
        return undefined
      } catch (error) {
        return error instanceof ClientError ? error : undefined
      }
    },
    onWelcome: (told) => {
      limits = told
      pace.start(limits.maxMessagesPerSecond)
      lists.onWelcome()
      subscriptions.onWelcome(told)
      commands.onWelcome(told)
      for (const typed of keystrokes.values()) typed.onWelcome(told)
    },
    onMessage,
    onFrame: (frame) => subscriptions.onFrame(frame),
    onLost: () => {
      limits = undefined
      pace.stop()
      lists.onLost()
      subscriptions.onLost()
      commands.onLost()
      for (const typed of keystrokes.values()) typed.onLost()
    },
    onEnd: ({ problem }) => {
      commands.end(problem)
      for (const typed of keystrokes.values()) typed.end(problem)
      subscriptions.end(problem)
      if (connection.state.current.phase !== "closed") return
      lists.end()
      for (const channel of channels.values()) channel.end()
      channels.clear()
    },
    onError
  })

  const channelOf = (sessionId: SessionId): SessionChannel => {
    let channel = channels.get(sessionId)
    if (channel === undefined) {
      const made = new SessionChannel(
        sessionId,
        subscriptions,
        () => {
          if (channels.get(sessionId) === made) channels.delete(sessionId)
        },
        onError
      )
      channels.set(sessionId, (channel = made))
    }
    return channel
  }

  const keystrokesOf = (sessionId: SessionId): Keystrokes => {
    for (const [other, typed] of keystrokes) if (typed.isIdle) keystrokes.delete(other)
    let typed = keystrokes.get(sessionId)
    if (typed === undefined) {
      typed = new Keystrokes({ sessionId, pace, send: (frame) => connection.send(frame), onError })
      keystrokes.set(sessionId, typed)
      if (limits !== undefined) typed.onWelcome(limits)
    }
    return typed
  }

  const session = (sessionId: SessionId): ClientSession =>
    makeSession(
      {
        http,
        commands,
        subscriptions,
        channelOf,
        keystrokesOf,
        sendTyping: (of, typing) => connection.send({ type: "typing", sessionId: of, typing }),
        session,
        onError
      },
      sessionId
    )

  connection.begin()

  return {
    connection: connection.state,
    sessions: (query) => lists.open(query),
    list: ({ signal, ...query } = {}) => http.json(SessionsAnswer, { method: "GET", path: "/sessions", query, signal }),
    session: (sessionId) => {
      if (!isSessionId(sessionId)) {
        throw clientError("invalid", "a session's id is a UUID version 7 in lower case", { field: "sessionId" })
      }
      return session(sessionId)
    },
    create: async ({ signal, ...create }) => {
      const receipt = await http.json(Receipt, {
        method: "POST",
        path: "/sessions",
        json: { sessionId: makeSessionId(), commandId: makeCommandId(), ...create },
        repeatable: true,
        signal
      })
      return session(receipt.sessionId)
    },
    backends: (how) => http.json(BackendsAnswer, { method: "GET", path: "/backends", signal: how?.signal }),
    reconnectNow: () => {
      if (connection.state.current.phase === "refused") {
        commands.begin()
        subscriptions.begin()
        for (const typed of keystrokes.values()) typed.begin()
      }
      connection.reconnectNow()
    },
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close()
  }
}

/** As the platform takes what nobody catches: browsers report it, Node ends the process. */
const throwLater = (error: unknown): void => {
  setTimeout(() => {
    throw error
  })
}

/** Where the API is below an address. */
const apiUrl = (given: string | URL): string => {
  let url: URL
  try {
    url = new URL(given)
  } catch (error) {
    throw clientError("invalid", `${String(given)} is no address`, { field: "url", cause: error })
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw clientError("invalid", `an address of http or https is needed, not ${url.protocol}`, { field: "url" })
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}/api/v1`
}
