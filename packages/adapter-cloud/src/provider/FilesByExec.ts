/**
 * Files of a sandbox by programs that run inside it: paths mean what they mean there, links lead nowhere outside, and what
 * is written belongs to the sandbox's own user.
 */
import type { SandboxExec, SandboxExecResult, SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { type Fail, providerDeadlines } from "./ProviderErrors.ts"

/** Largest file that is read or written, in bytes: 64 MiB. */
export const maxFileBytes = 64 * 1024 * 1024

/** Longest path, as Linux has it. */
const maxPath = 4_095

/** What the scripts say by their exit code. */
const exit = { missing: 20, wrongKind: 21, refused: 22, large: 23 } as const

const read = `
[ -e "$1" ] || [ -L "$1" ] || exit ${exit.missing}
[ -f "$1" ] || exit ${exit.wrongKind}
if [ -r "$1" ] && [ "$(wc -c <"$1")" -gt ${maxFileBytes} ]; then exit ${exit.large}; fi
exec cat -- "$1"`

/** To the side first, so that nobody sees half a file. */
const write = `
folder=\${1%/*}/
[ -d "$folder" ] || exit ${exit.missing}
if [ -d "$1" ]; then exit ${exit.wrongKind}; fi
side="$folder.holdfast-$3"
umask 077
if cat >"$side" && chmod "$2" "$side" && mv -f -- "$side" "$1"; then exit 0; fi
rm -f -- "$side"
exit ${exit.refused}`

type Run = (run: SandboxExec) => Effect.Effect<SandboxExecResult, SandboxProviderError>

/** Why a path cannot be that of a file. */
export const pathProblem = (path: string): string | undefined => {
  if (!path.startsWith("/")) return `${JSON.stringify(path)} is no absolute path`
  if (path.includes("\0")) return "a path has no NUL"
  if (path.endsWith("/")) return `${JSON.stringify(path)} names a folder`
  return Buffer.byteLength(path) > maxPath ? `a path has at most ${maxPath} bytes` : undefined
}

/** Reads a whole file. */
export const getFileByExec = Effect.fnUntraced(function* (fail: Fail, run: Run, path: string) {
  const problem = pathProblem(path)
  if (problem !== undefined) return yield* fail("invalid", problem)
  const result = yield* run({
    command: "/bin/sh",
    args: ["-c", read, "sh", path],
    cwd: "/",
    timeoutMs: providerDeadlines.file,
    maxOutputBytes: maxFileBytes
  })
  // It may have grown meanwhile.
  if (result.truncated || result.exitCode === exit.large) {
    return yield* fail("invalid", `${path} has more than ${maxFileBytes} bytes`)
  }
  if (result.exitCode !== 0) return yield* failed(fail, path, result, "there is no file")
  return result.stdout
})

/** Writes a whole file. `mode` defaults to 0o644. */
export const putFileByExec = Effect.fnUntraced(function* (
  fail: Fail,
  run: Run,
  path: string,
  content: Uint8Array,
  mode = 0o644
) {
  const problem = pathProblem(path)
  if (problem !== undefined) return yield* fail("invalid", problem)
  if (content.length > maxFileBytes) return yield* fail("invalid", `a file has at most ${maxFileBytes} bytes`)
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    return yield* fail("invalid", "a mode has the bits 0 to 0o7777")
  }
  const result = yield* run({
    command: "/bin/sh",
    args: ["-c", write, "sh", path, mode.toString(8), randomUUID()],
    cwd: "/",
    stdin: content,
    timeoutMs: providerDeadlines.file
  })
  if (result.exitCode !== 0) return yield* failed(fail, path, result, "there is no folder for")
})

const failed = (fail: Fail, path: string, result: SandboxExecResult, missing: string): SandboxProviderError => {
  if (result.timedOut) return fail("timeout", `${path} took too long`)
  if (result.exitCode === exit.missing) return fail("not_found", `${missing} ${path}`)
  if (result.exitCode === exit.wrongKind) return fail("invalid", `${path} is no file`)
  const said = new TextDecoder().decode(result.stderr).trim()
  if (/no space left|quota exceeded/i.test(said)) return fail("exhausted", said)
  if (/permission denied|read-only file system|not permitted/i.test(said)) return fail("forbidden", said)
  return fail("unexpected", `${path}: ${said === "" ? `exit code ${result.exitCode}` : said}`)
}
