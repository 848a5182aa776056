/** A backend all of whose sessions have the same variables in their sandboxes. */
import type { Backend } from "@holdfast/core"

export const withEnvironment = (backend: Backend, environment: Readonly<Record<string, string>>): Backend => ({
  ...backend,
  check: (spec) => backend.check(typeof spec === "object" && spec !== null ? { ...spec, environment } : spec)
})
