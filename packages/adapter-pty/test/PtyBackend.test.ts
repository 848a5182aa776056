import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { ptyBackend } from "../src/index.ts"

const cat = { profile: "command", command: "cat" }

backendSuite(
  "ptyBackend",
  Effect.sync(() => ptyBackend()),
  {
    spec: cat,
    badSpecs: [
      { spec: 5, field: "spec" },
      { spec: {}, field: "profile" },
      { spec: { profile: "nonesuch" }, field: "profile" },
      { spec: { profile: "command" }, field: "command" },
      { spec: { profile: "command", command: "" }, field: "command" },
      { spec: { profile: "command", command: "holdfast-has-no-such-program" }, field: "command" },
      { spec: { profile: "command", command: "./missing" }, field: "command" },
      { spec: { profile: "command", command: "/etc/passwd" }, field: "command" },
      { spec: { profile: "command", command: "/" }, field: "command" },
      { spec: { ...cat, command: "ca\0t" }, field: "command" },
      { spec: { ...cat, args: ["a\0b"] }, field: "args.0" },
      { spec: { ...cat, args: "text" }, field: "args" },
      { spec: { ...cat, cwd: "/holdfast/has/no/such/directory" }, field: "cwd" },
      { spec: { ...cat, cwd: "/etc/passwd" }, field: "cwd" },
      { spec: { ...cat, cols: 0 }, field: "cols" },
      { spec: { ...cat, rows: 1_000_000_000 }, field: "rows" },
      { spec: { ...cat, cols: 80.5 }, field: "cols" },
      { spec: { ...cat, env: { values: { "A=B": "c" } } }, field: "env.values.A=B" },
      { spec: { ...cat, env: { values: { A: "b\0" } } }, field: "env.values.A" },
      { spec: { ...cat, env: { values: { HOLDFAST_PROCESS: "x" } } }, field: "env.values.HOLDFAST_PROCESS" },
      { spec: { ...cat, env: { pass: [""] } }, field: "env.pass.0" },
      { spec: { ...cat, size: 3 }, field: "size" }
    ],
    secret: { spec: { ...cat, env: { values: { API_TOKEN: "s3cr3t-v4lu3" } } }, value: "s3cr3t-v4lu3" },
    script: (source) => ({ profile: "command", command: "sh", args: ["-c", source] })
  }
)
