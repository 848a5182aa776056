/** Which repositories and branches may be named. */

/** Why a repository cannot be worked with; undefined where it can. Allowed are `http(s)` and `file` URLs and absolute paths. */
export const repositoryProblem = (repository: string): string | undefined => {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(repository)) return "a repository without control characters"
  if (repository.startsWith("/")) return undefined
  if (!/^(https?|file):\/\//i.test(repository) || !URL.canParse(repository)) {
    return "a repository as https://…, http://…, file:///… or an absolute path"
  }
  const url = new URL(repository)
  if (url.username !== "" || url.password !== "") return "a repository without user and password: they are brokered"
  if (url.protocol === "file:" && url.host !== "") return "a file:/// URL of this machine"
  return undefined
}

/** Whether its server may ask for credentials. */
export const isRemote = (repository: string): boolean => /^https?:\/\//i.test(repository)

/** Why a branch cannot have this name; undefined where it can. As git-check-ref-format(1), and never like an option. */
export const branchProblem = (branch: string): string | undefined => {
  const isBad =
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\.$|\/$|^\/|^-/.test(branch) ||
    branch === "" ||
    branch === "@" ||
    branch === "HEAD" ||
    branch.split("/").some((part) => part.startsWith(".") || part.endsWith(".lock"))
  return isBad ? `a branch that git can have, and ${JSON.stringify(branch)} is none` : undefined
}

/** The branches that cannot be beside this one: `a` and `a/b` beside `a/b/c`. */
export const parentBranches = (branch: string): ReadonlyArray<string> => {
  const parts = branch.split("/")
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join("/"))
}
