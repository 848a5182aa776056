/** The flags that every command takes. */
import * as Effect from "effect/Effect"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Option from "effect/Option"
import { storePath } from "./store/StorePath.ts"

/** Where the log is. */
export const StoreFlag = GlobalFlag.Setting("store")({
  flag: Flag.String("store").pipe(
    Flag.withMetavar("path"),
    Flag.withDescription("The log's file (or HOLDFAST_STORE; default: holdfast/holdfast.db below XDG_STATE_HOME)"),
    Flag.optional
  )
})

/** Whether output is JSON. */
export const JsonFlag = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON of a stable shape, and nothing else, on stdout"),
    Flag.withDefault(false),
    Flag.withoutNegation
  )
})

/** What the person chose. */
export interface Settings {
  /** Absolute path of the log's file. */
  readonly store: string
  readonly json: boolean
}

/** Reads them within a command. */
export const settings = Effect.gen(function* () {
  const store = yield* StoreFlag
  return { store: storePath(Option.getOrUndefined(store), process.env), json: yield* JsonFlag } satisfies Settings
})
