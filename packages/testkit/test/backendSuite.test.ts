import { SpecInvalid } from "@holdfast/core"
import { Effect } from "effect"
import { agentWords, scriptedAgent, scriptedBackend } from "../src/index.ts"
import { backendSuite } from "../src/suites.ts"

const isRecord = (spec: unknown) => typeof spec === "object" && spec !== null && !Array.isArray(spec)

backendSuite(
  "scriptedBackend with an agent",
  Effect.sync(() =>
    scriptedBackend({
      capabilities: {
        prompts: true,
        steer: true,
        interrupt: true,
        permissions: true,
        questions: true,
        resume: true,
        fork: true,
        suspend: true,
        configure: true
      },
      check: (spec) =>
        isRecord(spec)
          ? Effect.succeed({ spec })
          : Effect.fail(new SpecInvalid({ backend: "scripted", field: "spec", expected: "an object" })),
      openings: (request) => ({ nativeId: request.nativeId ?? "native", answer: scriptedAgent() })
    })
  ),
  {
    spec: {},
    badSpecs: [{ spec: 3, field: "spec" }],
    agent: {
      simple: "Say something",
      long: agentWords.wait,
      steer: "and now finish",
      permission: agentWords.permission,
      question: agentWords.question
    }
  }
)

backendSuite(
  "scriptedBackend that can do nothing",
  Effect.sync(() => scriptedBackend()),
  { spec: {}, badSpecs: [] }
)
