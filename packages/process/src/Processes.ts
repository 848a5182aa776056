/** The Effect face: the same as the plain functions, with errors in the signature and interruption. */
import { Effect } from "effect"
import { ProcessesRemain, type ProcessIdentity, ProcessTableUnavailable } from "./ProcessIdentity.ts"
import { signalProcess as signal, type SignalResult } from "./ProcessSignal.ts"
import * as plain from "./ProcessTree.ts"
import { terminateTree as terminate, type Terminated, type TerminateOptions } from "./TerminateTree.ts"

const attempt = <A, E extends ProcessTableUnavailable | ProcessesRemain>(
  evaluate: (abort: AbortSignal) => Promise<A>,
  isExpected: (error: unknown) => error is E
): Effect.Effect<A, E> =>
  Effect.tryPromise({ try: evaluate, catch: (error) => error }).pipe(
    Effect.catch((error) => (isExpected(error) ? Effect.fail(error) : Effect.die(error)))
  )

const isUnavailable = (error: unknown): error is ProcessTableUnavailable => error instanceof ProcessTableUnavailable

const isUnavailableOrRemain = (error: unknown): error is ProcessTableUnavailable | ProcessesRemain =>
  isUnavailable(error) || error instanceof ProcessesRemain

/** See {@link plain.identify}. */
export const identify = (pid: number): Effect.Effect<ProcessIdentity | undefined, ProcessTableUnavailable> =>
  attempt(() => plain.identify(pid), isUnavailable)

/** See {@link plain.isAlive}. */
export const isAlive = (identity: ProcessIdentity): Effect.Effect<boolean, ProcessTableUnavailable> =>
  attempt(() => plain.isAlive(identity), isUnavailable)

/** See {@link signal}. */
export const signalProcess = (
  identity: ProcessIdentity,
  name: NodeJS.Signals
): Effect.Effect<SignalResult, ProcessTableUnavailable> => attempt(() => signal(identity, name), isUnavailable)

/** See {@link plain.tree}. */
export const tree = (
  target: plain.ProcessTarget
): Effect.Effect<ReadonlyArray<ProcessIdentity>, ProcessTableUnavailable> =>
  attempt(() => plain.tree(target), isUnavailable)

/** See {@link terminate}. An interrupt stops it where it is. */
export const terminateTree = (
  target: plain.ProcessTarget,
  options: Omit<TerminateOptions, "abort"> = {}
): Effect.Effect<Terminated, ProcessTableUnavailable | ProcessesRemain> =>
  attempt((abort) => terminate(target, { ...options, abort }), isUnavailableOrRemain)
