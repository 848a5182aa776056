/** Each test gets what it opens closed, last things first, and its control planes looked at for broken rules. */
import { assert, it } from "vitest"
import { type BridgeHouse, openBridgeHouse } from "./BridgeProcess.ts"
import { type ControlPlane, type ControlPlaneOptions, openControlPlane } from "./ControlPlane.ts"

/** What a test works with. */
export interface BridgeTest {
  readonly control: (options?: ControlPlaneOptions) => Promise<ControlPlane>
  readonly house: (environment: Readonly<Record<string, string>>) => Promise<BridgeHouse>
  /** A control plane, a house of it, and a bridge that has greeted. */
  readonly begin: (
    options?: ControlPlaneOptions,
    environment?: Readonly<Record<string, string>>
  ) => Promise<{
    readonly control: ControlPlane
    readonly house: BridgeHouse
    readonly bridge: ReturnType<BridgeHouse["start"]>
  }>
  readonly closing: (close: () => Promise<unknown>) => void
}

/** A test of a bridge. */
export const bridgeIt = (name: string, run: (test: BridgeTest) => Promise<void>, timeout = 60_000): void => {
  it(
    name,
    async () => {
      const closes: Array<() => Promise<unknown>> = []
      const controls: Array<ControlPlane> = []
      const control: BridgeTest["control"] = async (options) => {
        const opened = await openControlPlane({ token: "hfs_token", ...options })
        controls.push(opened)
        closes.push(opened.close)
        return opened
      }
      const house: BridgeTest["house"] = async (environment) => {
        const opened = await openBridgeHouse(environment)
        closes.push(opened.close)
        return opened
      }
      try {
        await run({
          control,
          house,
          closing: (close) => closes.push(close),
          begin: async (options, environment) => {
            const opened = await control(options)
            const made = await house({ HOLDFAST_BRIDGE_URL: opened.url, ...environment })
            const bridge = made.start()
            await opened.waitUntil("it greets", () => opened.hellos.length === 1)
            return { control: opened, house: made, bridge }
          }
        })
      } finally {
        for (const close of closes.toReversed()) await close()
      }
      for (const { problems } of controls) assert.deepStrictEqual(problems, [])
    },
    timeout
  )
}
