/** The page that shows the OpenAPI document and tries it out, with nothing from anywhere else. */
import { createHash } from "node:crypto"
import type { HttpServerResponse } from "effect/http"
import { HttpApiSwagger } from "effect/http-api"
import { HoldfastApi } from "./HoldfastApi.ts"

/** Where the document is. */
export const openApiPath = "/api/v1/openapi.json"

/** Where the page is. */
export const docsPath = "/api/v1/docs"

/** Serves the page. */
export const layerApiDocs = HttpApiSwagger.layer(HoldfastApi, { path: docsPath })

const policies = new WeakMap<object, string>()

/**
 * What the page may do: run the scripts that are in it and no others, and call this server. The page is made once, and so is its
 * policy.
 */
export const docsPolicy = ({ body }: HttpServerResponse.HttpServerResponse): string | undefined => {
  if (body._tag !== "Uint8Array") return undefined
  const known = policies.get(body)
  if (known !== undefined) return known
  const html = body.text ?? new TextDecoder().decode(body.body)
  const hashes = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, script]) => `'sha256-${createHash("sha256").update(script!).digest("base64")}'`
  )
  const policy = [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; ")
  policies.set(body, policy)
  return policy
}
