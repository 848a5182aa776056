/** Pages that are made from the code that they are about. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { format, resolveConfig } from "prettier"
import { repository } from "./workspaces.ts"

/** The text of a page as the repository has it. */
export const formatPage = async (path: string, text: string): Promise<string> => {
  const filepath = join(repository, path)
  return format(text, { ...(await resolveConfig(filepath)), filepath })
}

/** The page as it was committed. */
export const readPage = (path: string): string => readFileSync(join(repository, path), "utf8")

/** Writes a page. */
export const generatePage = async (path: string, text: string): Promise<void> => {
  writeFileSync(join(repository, path), await formatPage(path, text))
  console.log(`${path} is current.`)
}
