/** An Opencode server's errors as core tells errors. */
import { boundRaw, type ReportedError } from "@holdfast/core"
import type { NamedError } from "./OpencodeWire.ts"

/** Longest message of an error: a page. The raw error has the rest. */
const maxMessage = 4_096

/** It was stopped on purpose: by an abort, or because the server let go of the directory. */
export const isAbort = (error: NamedError | undefined): boolean => error?.name === "MessageAbortedError"

/**
 * A stack trace: the server's report that a prompt's run failed. It repeats, after its end, what an error before has said
 * already.
 */
export const isTrace = (error: NamedError): boolean => /\n\s+at /.test(String(error.data?.["message"] ?? ""))

/**
 * `code` is the error's name (`APIError`, `ProviderAuthError`, `ContextOverflowError`, …). Worth trying again are only what
 * the server says is, and what stopped for a reason outside the request. Response headers are left out of `raw`.
 */
export const reportError = ({ data, name }: NamedError): ReportedError => {
  const { responseHeaders: _headers, ...rest } = data ?? {}
  const said = data?.["message"]
  return {
    message: typeof said === "string" && said !== "" ? plainMessage(said) : name,
    code: name,
    retryable: data?.["isRetryable"] === true || name === "MessageAbortedError",
    raw: boundRaw({ name, data: rest })
  }
}

/** Some providers' errors arrive as JSON text: the words in it. */
export const plainMessage = (said: string): string => {
  let message = said
  if (said.startsWith("{")) {
    try {
      const parsed: unknown = JSON.parse(said)
      const words = typeof parsed === "object" && parsed !== null && "message" in parsed ? parsed.message : undefined
      if (typeof words === "string") message = words
    } catch {
      // Not JSON after all: the text itself is the message.
    }
  }
  const line = message.split("\n    at ", 1)[0]!
  return line.length > maxMessage ? `${line.slice(0, maxMessage - 1)}…` : line
}
