/** `holdfast run`: a command in a terminal of its own, recorded. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { resolve } from "node:path"
import { usage } from "../ExitCode.ts"
import { cloudProviders } from "../sandbox/CloudRun.ts"
import { settings } from "../Settings.ts"
import { detachKeys } from "../terminal/DetachKey.ts"

/** The flag of every command that shows a session. */
export const detachKeyFlag = Flag.Literals("detach-key", detachKeys).pipe(
  Flag.withDescription("The key that leaves the session without ending it; none sends every key to the program"),
  Flag.withDefault("ctrl-\\")
)

const cloudFlag = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const agentFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** `holdfast run`. */
export const run = Command.make(
  "run",
  {
    title: Flag.String("title").pipe(Flag.withDescription("What lists call it; default: the command"), Flag.optional),
    cwd: Flag.String("cwd").pipe(
      Flag.withMetavar("dir"),
      Flag.withDescription("Where it runs; default: here"),
      Flag.optional
    ),
    env: Flag.String("env").pipe(
      Flag.withMetavar("name"),
      Flag.withDescription(
        "A variable to pass on besides the usual ones, or NAME=value to set one; may be repeated. The log keeps names only"
      ),
      Flag.atLeast(0)
    ),
    detach: Flag.Boolean("detach").pipe(
      Flag.withAlias("d"),
      Flag.withDescription("Print the session's id and return; the command runs on"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    detachKey: detachKeyFlag,
    backend: Flag.Literals("backend", ["pty", "codex", "opencode"]).pipe(
      Flag.withDescription("What runs it: a terminal of its own, or a coding agent, which takes a prompt instead"),
      Flag.withDefault("pty")
    ),
    cloud: Flag.Literals("cloud", cloudProviders).pipe(
      Flag.withDescription(
        "Run it in a sandbox instead of here: of processes of this machine that are kept apart, or of a container"
      ),
      Flag.optional
    ),
    repo: cloudFlag("repo", "url", "With --cloud: a git repository to begin with; its workspace is a clone of it"),
    branch: cloudFlag("branch", "name", "With --repo: the branch to begin from; default: the repository's own"),
    image: cloudFlag("image", "name", "With --cloud docker: what the container is made from"),
    model: agentFlag("model", "The agent's model, as the agent calls it"),
    effort: agentFlag("effort", "How hard the model thinks, as the agent calls it"),
    mode: agentFlag("mode", "What the agent may do or which agent it is, as the agent calls it"),
    print: Flag.Boolean("print").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("Show one turn of an agent as text and end the session, also on a terminal"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    command: Argument.String("command").pipe(
      Argument.withDescription("The program and its arguments, after --; with --backend codex or opencode, a prompt"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function* ({
    backend,
    branch,
    cloud,
    command: words,
    cwd,
    detach,
    detachKey,
    effort,
    env,
    image,
    mode,
    model,
    print,
    repo,
    title
  }) {
    const { json, store } = yield* settings
    if (Option.isNone(cloud) && [repo, branch, image].some(Option.isSome)) {
      return yield* usage("--repo, --branch and --image are for --cloud")
    }
    if (Option.isSome(branch) && Option.isNone(repo)) return yield* usage("--branch is a branch of --repo")
    if (Option.isSome(cloud) && Option.isSome(cwd)) {
      return yield* usage("--cwd is a directory of this machine: in a sandbox everything begins in its workspace")
    }
    const where = Option.match(cloud, {
      onNone: () => undefined,
      onSome: (provider) => ({
        provider,
        repository: Option.getOrUndefined(repo),
        branch: Option.getOrUndefined(branch),
        image: Option.getOrUndefined(image)
      })
    })
    if (where !== undefined) {
      const { checkProvider } = yield* Effect.promise(() => import("../sandbox/SandboxHost.ts"))
      yield* checkProvider(store, where.provider)
    }
    if (backend !== "pty") {
      if (env.length > 0) return yield* usage("--env is for commands; an agent has the environment of its server")
      const { runAgent } = yield* Effect.promise(() => import("../session/RunAgent.ts"))
      return yield* runAgent({ store, json, detach, print, detachKey }, words, {
        backend,
        cloud: where,
        cwd: resolve(Option.getOrElse(cwd, () => ".")),
        title: Option.getOrUndefined(title),
        model: Option.getOrUndefined(model),
        effort: Option.getOrUndefined(effort),
        mode: Option.getOrUndefined(mode)
      })
    }
    if (print || [model, effort, mode].some(Option.isSome)) {
      return yield* usage("--model, --effort, --mode and --print are for --backend codex and --backend opencode")
    }
    const [command, ...args] = words
    if (command === undefined)
      return yield* usage("there is no command to run: holdfast run [flags] -- <command> [arguments]")
    const { runSession } = yield* Effect.promise(() => import("../session/RunSession.ts"))
    yield* runSession(
      { store, json, detach, detachKey },
      {
        profile: "command",
        command,
        args,
        cloud: where,
        cwd: resolve(Option.getOrElse(cwd, () => ".")),
        env,
        title: Option.getOrUndefined(title)
      }
    )
  })
).pipe(
  Command.withDescription(
    "Run a command in a terminal of its own and record it. The session lives in a background process: leaving it with " +
      "Ctrl-\\ or closing the window does not end it. The exit code is the command's, 128 + n after signal n."
  ),
  Command.withShortDescription("Run a command in a recorded terminal"),
  Command.withExamples([
    { command: "holdfast run -- npm test", description: "Record a command" },
    { command: 'holdfast run --backend codex "fix the build"', description: "Give a coding agent something to do" },
    {
      command: "holdfast run --cloud docker --repo https://git.example.org/parser.git -- npm test",
      description: "Run it in a container, in a clone"
    },
    { command: "holdfast run -d --title build -- make -j4", description: "Start it in the background and print its id" }
  ])
)
