/** Which environment variables a program is given: those that are named, and no others. */
import { processMarkerName } from "./ProcessMarker.ts"

/**
 * Names that are passed on from the host's own environment without being asked for; `LC_*` stands for all that begin so. They
 * say where programs, files, services and manners of the user are. Tokens and keys are not among them, nor is what describes
 * the host's own terminal (TERM, COLORTERM, COLUMNS, TMUX …), which is another one.
 */
export const defaultPassedNames: ReadonlyArray<string> = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "LC_*",
  "TZ",
  "TMPDIR",
  "EDITOR",
  "VISUAL",
  "PAGER",
  "SSH_AUTH_SOCK",
  "XDG_RUNTIME_DIR",
  "XDG_CONFIG_HOME",
  "XDG_CONFIG_DIRS",
  "XDG_DATA_HOME",
  "XDG_DATA_DIRS",
  "XDG_STATE_HOME",
  "XDG_CACHE_HOME",
  ...(process.platform === "win32"
    ? [
        "Path",
        "PATHEXT",
        "SystemRoot",
        "SystemDrive",
        "windir",
        "ComSpec",
        "USERPROFILE",
        "USERNAME",
        "HOMEDRIVE",
        "HOMEPATH",
        "APPDATA",
        "LOCALAPPDATA",
        "ProgramData",
        "ProgramFiles",
        "TEMP",
        "TMP"
      ]
    : [])
]

/** Why a text cannot be the name of a variable; undefined where it can. */
export const nameProblem = (name: string): string | undefined => {
  if (name === processMarkerName) return `a name other than ${processMarkerName}, by which Holdfast finds its processes`
  if (name === "" || name.includes("=") || name.includes("\0")) return "a name without = and NUL"
  return undefined
}

/** Where an environment comes from; later ones win. */
export interface EnvironmentSource {
  /** The host's own. */
  readonly host: Readonly<Record<string, string | undefined>>
  /** Names, or beginnings with `*`, that are passed on from it. */
  readonly pass: ReadonlyArray<string>
  readonly values: Readonly<Record<string, string>>
}

/** Puts an environment together. */
export const makeEnvironment = ({ host, pass, values }: EnvironmentSource): Readonly<Record<string, string>> => {
  const env: Record<string, string> = {}
  const take = (name: string) => {
    const value = host[name]
    if (value !== undefined) env[name] = value
  }
  for (const name of pass) {
    if (!name.endsWith("*")) take(name)
    else for (const each of Object.keys(host)) if (each.startsWith(name.slice(0, -1))) take(each)
  }
  return { ...env, ...values }
}
