import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { openCloudHouse } from "./support/cloudHouse.ts"

const pty = (spec: unknown, more: object = {}) => ({ inner: { backend: "pty", spec }, ...more })
const cat = { profile: "command", command: "cat" }

backendSuite(
  "a terminal in a sandbox of the process provider",
  Effect.map(openCloudHouse({ bridge: { logBytes: 2 * 1024 * 1024 } }), ({ backend }) => backend),
  {
    spec: pty(cat),
    badSpecs: [
      { spec: 5, field: "spec" },
      { spec: {}, field: "inner" },
      { spec: { inner: { backend: "nonesuch", spec: cat } }, field: "inner.backend" },
      { spec: pty(5), field: "inner.spec" },
      { spec: pty({ ...cat, cols: 0 }), field: "inner.spec.cols" },
      { spec: pty({ ...cat, env: { values: { "A=B": "c" } } }), field: "inner.spec.env.values.A=B" },
      { spec: pty(cat, { provider: "nonesuch" }), field: "provider" },
      { spec: pty(cat, { limits: { cpus: 0 } }), field: "limits.cpus" },
      { spec: pty(cat, { limits: { cpus: 1 } }), field: "limits.cpus" },
      { spec: pty(cat, { image: "" }), field: "image" },
      { spec: pty(cat, { workspace: {} }), field: "workspace.repository" },
      { spec: pty(cat, { workspace: { repository: "https://u:p@example.test/r" } }), field: "workspace.repository" },
      { spec: pty(cat, { environment: { "A=B": "c" } }), field: "environment.A=B" },
      { spec: pty(cat, { environment: { HOLDFAST_BRIDGE_TOKEN: "c" } }), field: "environment.HOLDFAST_BRIDGE_TOKEN" },
      { spec: pty(cat, { hibernateAfterMs: -1 }), field: "hibernateAfterMs" },
      { spec: pty(cat, { size: 3 }), field: "size" }
    ],
    secret: {
      spec: pty({ ...cat, env: { values: { API_TOKEN: "s3cr3t-v4lu3" } } }, { environment: { OTHER: "s3cr3t-v4lu3" } }),
      value: "s3cr3t-v4lu3"
    },
    script: (source) => pty({ profile: "command", command: "sh", args: ["-c", source] }),
    effort: 0.1,
    once: true
  }
)
