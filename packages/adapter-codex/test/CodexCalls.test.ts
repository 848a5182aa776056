import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { calls, type CodexMethod, type ParamsOf } from "../src/CodexCalls.ts"
import { defaultConfig } from "../src/CodexLaunch.ts"
import { modes, settingsOf } from "../src/CodexModes.ts"
import { type Node, problemsOf, variantsOf, withProtocol } from "./protocolSchema.ts"

/** A parameter that is there or is not. */
const maybe = <K extends string, A>(key: K, value: fc.Arbitrary<A>): fc.Arbitrary<{ readonly [key in K]?: A }> =>
  fc.option(value, { nil: undefined }).map((given) => (given === undefined ? {} : { [key]: given })) as never

const merged = (...parts: ReadonlyArray<fc.Arbitrary<object>>): fc.Arbitrary<never> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all) as never)

const text = fc.string({ minLength: 1 })
const thread = fc.record({ threadId: fc.uuid() })
const input = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("text"), text, text_elements: fc.constant([]) }),
    fc.record({ type: fc.constant("image"), url: fc.webUrl() }),
    fc.record({ type: fc.constant("localImage"), path: text })
  ),
  { minLength: 1 }
)
const mode = fc.constantFrom(...modes).map(({ id }) => settingsOf(id)!)
const policy = mode.map(({ approvalPolicy }) => approvalPolicy)
const profile = mode.map(({ permissions }) => permissions)
const config = fc.constant(defaultConfig)
const overrides = [
  maybe("model", text),
  maybe("modelProvider", text),
  maybe("approvalPolicy", policy),
  maybe("permissions", profile),
  maybe("config", config),
  maybe("developerInstructions", text)
]

/** What each request is sent with. */
const sent: { readonly [M in CodexMethod]: fc.Arbitrary<ParamsOf<M>> } = {
  initialize: fc.constant({
    clientInfo: { name: "holdfast", title: "Holdfast", version: "1" },
    capabilities: { experimentalApi: true, requestAttestation: false, optOutNotificationMethods: ["skills/changed"] }
  }),
  "thread/start": merged(fc.record({ cwd: text }), ...overrides),
  "thread/resume": merged(thread, maybe("config", config), fc.constant({ excludeTurns: true })),
  "thread/fork": merged(thread, maybe("lastTurnId", text), ...overrides, fc.constant({ excludeTurns: true })),
  "thread/loaded/list": fc.constant({}),
  "thread/name/set": merged(thread, fc.record({ name: text })),
  "thread/settings/update": merged(
    thread,
    maybe("model", text),
    maybe("effort", text),
    fc.oneof(mode, fc.constant({}))
  ),
  "thread/turns/list": merged(thread, fc.constant({ limit: 20, itemsView: "full" }), maybe("cursor", text)),
  "thread/compact/start": thread,
  "thread/revert": merged(thread, fc.record({ beforeTurnId: fc.uuid() })),
  "thread/archive": thread,
  "thread/unarchive": thread,
  "thread/unsubscribe": thread,
  "thread/backgroundTerminals/list": thread,
  "thread/backgroundTerminals/clean": thread,
  "thread/backgroundTerminals/terminate": merged(thread, fc.record({ processId: text })),
  "turn/start": merged(thread, fc.record({ input, clientUserMessageId: fc.uuid() })),
  "turn/steer": merged(thread, fc.record({ input, clientUserMessageId: fc.uuid(), expectedTurnId: fc.uuid() })),
  "turn/interrupt": merged(thread, fc.record({ turnId: fc.uuid() })),
  "model/list": merged(fc.constant({ limit: 100 }), maybe("cursor", text))
}

describe("The requests to an app-server", () => {
  let protocol: Node
  beforeAll(async () => {
    protocol = await withProtocol((file) => file("ClientRequest"))
  })

  /** The schema of a request's parameters, as the installed program has it. */
  const paramsOf = (method: string): Node => {
    const request = protocol.oneOf!.find((one) => one.properties?.["method"]?.enum?.[0] === method)
    assert.isDefined(request, `${method} is not in the protocol`)
    return request!.properties!["params"]!
  }

  for (const [method, params] of Object.entries(sent)) {
    it(`${method} is there, and takes what it is sent with`, () => {
      const schema = paramsOf(method)
      const isOurs = Schema.is(calls[method as CodexMethod].params as Schema.Schema<unknown>)
      fc.assert(
        fc.property(params as fc.Arbitrary<unknown>, (value) => {
          assert.isTrue(isOurs(value), `our own schema of ${method} does not take ${JSON.stringify(value)}`)
          assert.deepStrictEqual(problemsOf(value, schema, protocol), [])
        }),
        { numRuns: 50 }
      )
    })
  }

  it("name no parameter that is not in the protocol, where a server would ignore it silently", () => {
    for (const [method, { params }] of Object.entries(calls)) {
      const known = variantsOf(paramsOf(method), protocol).flatMap((variant) => Object.keys(variant.properties ?? {}))
      const ours = Object.keys((params as unknown as { readonly fields: object }).fields)
      assert.deepStrictEqual(
        ours.filter((name) => !known.includes(name)),
        [],
        method
      )
    }
  })
})
