import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { useContainers } from "./support/containerHouse.ts"

const { machine, openHouse } = useContainers()

const pty = (spec: unknown, more: object = {}) => ({ inner: { backend: "pty", spec }, ...more })

backendSuite(
  "a terminal in a container",
  Effect.map(openHouse({ network: "host" }, { bridge: { logBytes: 2 * 1024 * 1024 } }), ({ backend }) => backend),
  {
    spec: pty({ profile: "command", command: "cat" }),
    badSpecs: [{ spec: pty({ profile: "command", command: "cat", cols: 0 }), field: "inner.spec.cols" }],
    secret: {
      spec: pty({ profile: "command", command: "cat" }, { environment: { API_TOKEN: "s3cr3t-v4lu3" } }),
      value: "s3cr3t-v4lu3"
    },
    script: (source) => pty({ profile: "command", command: "sh", args: ["-c", source] }),
    machine,
    // Each run is a container.
    effort: 0.01,
    once: true
  }
)
