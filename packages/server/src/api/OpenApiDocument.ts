/** What the OpenAPI document says beyond what is generated: who may call, which answers can come, and what parameters are. */
import { SchemaAST } from "effect"
import type { HttpApi, OpenApi } from "effect/http-api"

type Operation = OpenApi.OpenAPISpecOperation
type Spec = OpenApi.OpenAPISpec

/** Groups whose endpoints take no token. */
const open = ["Sign in", "Health"]

const exportTypes = ["application/x-asciicast", "application/jsonl", "text/plain"]

/** Whether an operation can end so. Every one can fail for the host or origin, the load, and a fault. */
const isPossible = (status: string, method: string, path: string, operation: Operation): boolean => {
  const hasBody = operation.requestBody !== undefined
  const ofSession = path.includes("{sessionId}")
  const changes = method !== "get"
  switch (status) {
    case "400":
      return hasBody || operation.parameters.length > 0
    case "401":
      return !operation.tags.some((tag) => open.includes(tag)) || path === "/metrics" || path.endsWith("/start")
    case "404":
      return ofSession || path === "/api/v1/auth/tokens" || path.includes("{tokenId}")
    case "409":
    case "422":
      return changes ? ofSession || path === "/api/v1/sessions" : path.includes("/files")
    case "412":
      return changes && path.includes("/files/")
    case "413":
    case "415":
      return hasBody
    default:
      return true
  }
}

/** In the document parameters are text; clients and readers want to know what the text says. */
const describeParameters = (operation: Operation, slots: ReadonlyArray<SchemaAST.AST | undefined>): void => {
  for (const ast of slots) {
    if (ast?._tag !== "Objects") continue
    for (const { name, type } of ast.propertySignatures) {
      const parameter = operation.parameters.find((one) => one.name === String(name))
      if (parameter === undefined) continue
      const description = SchemaAST.resolveDescription(type)
      if (description !== undefined) parameter.description = description
      if (type._tag === "Number") parameter.schema = { type: "integer", ...boundsOf(type) }
      if (type._tag === "Boolean") parameter.schema = { type: "boolean" }
    }
  }
}

const boundsOf = (type: SchemaAST.AST): { readonly minimum?: number; readonly maximum?: number } => {
  const bounds: { minimum?: number; maximum?: number } = {}
  for (const check of type.checks ?? []) {
    const { maximum, minimum } = (check.annotations?.["arbitraryConstraint"] ?? {}) as typeof bounds
    if (minimum !== undefined) bounds.minimum = minimum
    if (maximum !== undefined) bounds.maximum = maximum
  }
  return bounds
}

/** Completes the document that is generated from the API. */
export const completeDocument = (api: HttpApi.Top, spec: Spec): Spec => {
  spec.components.securitySchemes = {
    bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
    cookie: { type: "apiKey", in: "cookie", name: "holdfast" }
  }
  for (const group of Object.values(api.groups)) {
    for (const endpoint of Object.values(group.endpoints)) {
      const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}")
      const method = endpoint.method.toLowerCase() as "get"
      const operation = spec.paths[path]?.[method]
      if (operation === undefined) continue
      describeParameters(operation, [endpoint.params?.ast, endpoint.query?.ast, endpoint.headers?.ast])
      const isOpen = operation.tags.some((tag) => open.includes(tag)) && path !== "/metrics"
      operation.security = isOpen ? [] : [{ bearer: [] }, { cookie: [] }]
      for (const status of Object.keys(operation.responses)) {
        if (!isPossible(status, method, path, operation)) delete operation.responses[status as never]
      }
      if (path.endsWith("/export")) {
        const [streamed] = Object.values(operation.responses[200]?.content ?? {})
        operation.responses[200]!.content = Object.fromEntries(exportTypes.map((type) => [type, streamed!]))
      }
      if (path.endsWith("/files/content") && method === "get") {
        operation.responses[206] = { ...operation.responses[200]!, description: "The part that `Range` asks for" }
        operation.responses[304] = { description: "It is still the content that you have" }
        operation.responses[416] = { description: "The file has no such part" }
      }
    }
  }
  return spec
}
