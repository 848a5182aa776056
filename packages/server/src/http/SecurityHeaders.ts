/** Headers that every answer has, so that a browser does only what the server means. */

/**
 * What the page may do: run its own scripts, talk to this server, and show pictures that it has or made itself. Terminals and
 * highlighters set styles by script. Nothing from elsewhere: what an agent writes could else send away what it has seen.
 */
export const pagePolicy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** What an answer of the API may do when a browser opens it as a page: nothing. */
export const apiPolicy = "default-src 'none'; frame-ancestors 'none'"

/** Headers of all answers. */
export const securityHeaders: ReadonlyArray<readonly [name: string, value: string]> = [
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"]
]

/** Over TLS: that it stays so, for half a year. */
export const strictTransport = ["strict-transport-security", "max-age=15552000"] as const
