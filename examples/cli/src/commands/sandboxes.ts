/** `holdfast sandboxes`: what sessions run in, when they do not run here. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { settings } from "../Settings.ts"

const keep = Effect.promise(() => import("../sandbox/KeepSandboxes.ts"))

const listed = Effect.gen(function* () {
  const { json, store } = yield* settings
  const { listSandboxes } = yield* keep
  yield* listSandboxes(store, json)
})

const list = Command.make("list", {}, () => listed).pipe(
  Command.withAlias("ls"),
  Command.withDescription("List the sandboxes of this log: who made them, whose they are, how they do")
)

const stop = Command.make(
  "stop",
  {
    sandbox: Argument.String("sandbox").pipe(
      Argument.withDescription("The sandbox's id or its session's, or as much of its beginning as no other has")
    ),
    force: Flag.Boolean("force").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Also one whose session cannot be put to rest: what was not pushed is lost"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ force, sandbox }) {
    const { json, store } = yield* settings
    const { stopSandbox } = yield* keep
    yield* stopSandbox(store, sandbox, { json, force })
  })
).pipe(Command.withDescription("Stop a sandbox: its session is put to rest, one of no session is removed"))

const prune = Command.make(
  "prune",
  {},
  Effect.fnUntraced(function* () {
    const { json, store } = yield* settings
    const { pruneSandboxes } = yield* keep
    yield* pruneSandboxes(store, json)
  })
).pipe(Command.withDescription("Remove all sandboxes that no session owns"))

const build = Command.make(
  "build",
  {
    base: Flag.String("base").pipe(
      Flag.withMetavar("image"),
      Flag.withDescription("What the image is made from: one with Node 22.19 or newer and git, which the engine pulls"),
      Flag.withDefault("node:24-bookworm")
    ),
    local: Flag.Boolean("local").pipe(
      Flag.withDescription("Make it from this machine's own Node, git and small programs instead, without a registry"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    agent: Flag.String("agent").pipe(
      Flag.withMetavar("package"),
      Flag.withDescription("An npm package to install, such as @openai/codex or opencode-ai; may be repeated"),
      Flag.atLeast(0)
    ),
    name: Flag.String("name").pipe(
      Flag.withDescription(
        "What the image is called: the default is what containers are made from unless --image says else"
      ),
      Flag.withDefault("holdfast/sandbox")
    )
  },
  Effect.fnUntraced(function* (asked) {
    const { json } = yield* settings
    const { buildImage } = yield* Effect.promise(() => import("../sandbox/BuildImage.ts"))
    yield* buildImage({ ...asked, json })
  })
).pipe(Command.withDescription("Build the image that containers are made from, with what runs in them"))

/** `holdfast sandboxes`. */
export const sandboxes = Command.make("sandboxes", {}, () => listed).pipe(
  Command.withDescription(
    "List, stop and clear away the sandboxes that sessions of this log run in, and build what containers are made from"
  ),
  Command.withShortDescription("List, stop and clear away sandboxes"),
  Command.withSubcommands([list, stop, prune, build])
)
