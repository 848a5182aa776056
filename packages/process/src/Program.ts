/** Looks at directories and programs before anything is started: what starts them tells of what is missing late and badly. */
import { accessSync, constants, statSync } from "node:fs"
import { delimiter, join, resolve } from "node:path"

/** Why a directory cannot be worked in; undefined where it can. */
export const directoryProblem = (path: string): string | undefined => {
  try {
    if (!statSync(path).isDirectory()) return `a directory, and ${path} is none`
    accessSync(path, constants.X_OK)
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === "ENOENT" || code === "ENOTDIR"
      ? `a directory that exists, and ${path} does not`
      : `a directory that can be entered, and ${path} cannot (${code})`
  }
}

const fileProblem = (path: string): string | undefined => {
  try {
    if (!statSync(path).isFile()) return `a program, and ${path} is no file`
    accessSync(path, constants.X_OK)
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === "ENOENT" || code === "ENOTDIR"
      ? `a program that exists, and ${path} does not`
      : `a program that may be executed, and ${path} may not (${code})`
  }
}

/** A program's path, or why it cannot be started. */
export type Program = { readonly path: string } | { readonly expected: string }

/**
 * Finds a program as `execvp` does: a name with a slash from the directory that it will run in, any other on PATH.
 *
 * @param env the environment that the program will have
 */
export const findProgram = (command: string, cwd: string, env: Readonly<Record<string, string>>): Program => {
  if (command.includes("/") || (process.platform === "win32" && command.includes("\\"))) {
    const path = resolve(cwd, command)
    const expected = fileProblem(path)
    return expected === undefined ? { path } : { expected }
  }
  const path = env["PATH"] ?? env["Path"]
  const extensions = process.platform === "win32" ? ["", ...(env["PATHEXT"] ?? ".EXE;.CMD;.BAT").split(";")] : [""]
  let refused: string | undefined
  for (const folder of (path ?? "/usr/local/bin:/bin:/usr/bin").split(delimiter)) {
    for (const extension of extensions) {
      const candidate = join(resolve(cwd, folder), command + extension)
      const expected = fileProblem(candidate)
      if (expected === undefined) return { path: candidate }
      if (!expected.includes("that exists")) refused ??= expected
    }
  }
  return { expected: refused ?? `a program on the PATH, and ${command} is in none of its directories` }
}
