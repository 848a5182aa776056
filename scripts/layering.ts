/**
 * The design's arrows, checked: who may import whom.
 *
 *     node scripts/layering.ts
 *
 * Every import counts, those of types and those at run time alike.
 */
import { globSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, extname, join, relative, resolve, sep } from "node:path"
import { type ESTree, parseSync, Visitor } from "vite"
import { readWorkspaces, repository, type Workspace } from "./workspaces.ts"

/** An import against the rules. */
export interface Violation {
  readonly file: string
  readonly line: number
  readonly message: string
}

const scope = "@holdfast/"

/** What the sources of a package may import of ours, by the package's folder; the first match counts. */
const arrows: ReadonlyArray<readonly [folder: RegExp, targets: ReadonlyArray<string>]> = [
  [/^(core|process)$/, []],
  [/^adapter-cloud$/, ["core", "git", "process"]],
  [/^(runtime|store-[^/]+|adapter-[^/]+|git|testkit)$/, ["core", "process"]],
  [/^(client|terminal-face)$/, ["core"]],
  [/^server$/, ["core", "process", "runtime"]],
  // The program in a sandbox, composed of what runs there.
  [/^bridge$/, ["adapter-codex", "adapter-opencode", "adapter-pty", "core", "git", "process"]]
]

/** The packages that run in browsers and workers too. */
const everywhere = ["client", "core", "terminal-face"]

/** The packages whose tests compose the house, and so may import any of it. */
const composedInTests = ["adapter-cloud", "bridge", "client", "runtime", "server", "testkit"]

/** What has no name to be imported by and what they may use: houses of other packages' tests, and the bridge's bundler. */
const forTests = /^packages\/([^/]+\/test\/|bridge\/build\.ts$)/

/** What one file asks for. A computed import has no specifier. */
interface Import {
  readonly specifier: string | undefined
  readonly offset: number
}

const literal = (node: ESTree.Node | null | undefined): string | undefined =>
  node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined

const isNamed = (node: ESTree.Node, object: string, property: string) =>
  node.type === "MemberExpression" &&
  node.object.type === "Identifier" &&
  node.object.name === object &&
  node.property.type === "Identifier" &&
  node.property.name === property

/** The modules that a source text imports in any way; `new URL("./x.ts", import.meta.url)` names a worker's file. */
const importsOf = (file: string, text: string): ReadonlyArray<Import> => {
  const { errors, program } = parseSync(file, text, { lang: extname(file) === ".tsx" ? "tsx" : "ts" })
  if (errors[0] !== undefined) throw new Error(`${file} cannot be parsed: ${errors[0].message}`)
  const imports: Array<Import> = []
  const add = (node: ESTree.Node | null | undefined) => {
    if (node) imports.push({ specifier: literal(node), offset: node.start })
  }
  new Visitor({
    ImportDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
    TSExternalModuleReference: (node) => add(node.expression),
    CallExpression: (node) => {
      const isRequire = node.callee.type === "Identifier" && node.callee.name === "require"
      if (isRequire || isNamed(node.callee, "process", "getBuiltinModule")) add(node.arguments[0])
    },
    NewExpression: (node) => {
      const target = literal(node.arguments[0])
      const isUrl = node.callee.type === "Identifier" && node.callee.name === "URL"
      if (isUrl && target?.startsWith(".") === true) add(node.arguments[0])
    }
  }).visit(program)
  return imports
}

const packageOf = (specifier: string) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

/** Why a file of a workspace may not import this, or undefined when it may. */
const objection = (
  root: string,
  workspace: Workspace,
  file: string,
  specifier: string | undefined
): string | undefined => {
  const { folder, manifest } = workspace
  const inPackages = folder.startsWith("packages/")
  const inTest = file.startsWith(`${folder}/test/`)
  const short = folder.slice(folder.indexOf("/") + 1)

  if (specifier === undefined) {
    return inPackages && !inTest ? "imports a computed name: write it out, so that it can be checked" : undefined
  }

  if (specifier.startsWith(".")) {
    const target = relative(root, resolve(root, dirname(file), specifier))
      .split(sep)
      .join("/")
    if (target !== folder && !target.startsWith(`${folder}/`)) {
      const composes = inPackages ? inTest && composedInTests.includes(short) : folder === "benchmarks"
      if (composes && forTests.test(target)) return undefined
      return `imports ${specifier}, which leaves its own package: import the other package by its name`
    }
    return !inTest && target.startsWith(`${folder}/test/`)
      ? `imports ${specifier}: sources do not use tests`
      : undefined
  }

  if (isBuiltin(specifier)) {
    return inPackages && everywhere.includes(short) && !inTest
      ? `imports ${specifier}: ${short} runs in browsers and Workers and imports no Node module`
      : undefined
  }

  const name = packageOf(specifier)
  if (inPackages && name.startsWith(scope)) {
    const targets = arrows.find(([pattern]) => pattern.test(short))?.[1]
    if (targets === undefined) return `imports ${name}, but ${folder} has no arrows yet: give it some in layering.ts`
    const target = name.slice(scope.length)
    const allowed = inTest
      ? composedInTests.includes(short) || [...targets, short, "testkit"].includes(target)
      : targets.includes(target)
    if (!allowed) {
      return name === manifest.name
        ? `imports ${name}, its own root: import the file`
        : `imports ${name}: ${inTest ? "the tests of " : ""}${folder} may import ${
            (inTest ? [...targets, "testkit"] : targets).map((to) => scope + to).join(", ") || "nothing of ours"
          }`
    }
  }

  if (inTest) return undefined
  const named = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...(manifest.private === true ? manifest.devDependencies : {})
  }
  return Object.hasOwn(named, name)
    ? undefined
    : `imports ${name}, which ${folder}/package.json does not name as a dependency or peer dependency`
}

/** Checks every TypeScript file of every workspace below `root`. */
export const checkLayering = (root: string): ReadonlyArray<Violation> =>
  readWorkspaces(root).flatMap((workspace) => {
    const files = globSync("**/*.{ts,tsx}", {
      cwd: join(root, workspace.folder),
      exclude: (name) => name === "node_modules" || name === "dist"
    })
    return files
      .map((file) => `${workspace.folder}/${file.split(sep).join("/")}`)
      .filter((file) => !/\/(build|tsup\.config|vitest\.config)\.ts$/.test(file))
      .toSorted()
      .flatMap((file) => {
        const text = readFileSync(join(root, file), "utf8")
        return importsOf(file, text).flatMap(({ specifier, offset }) => {
          const message = objection(root, workspace, file, specifier)
          return message === undefined ? [] : [{ file, line: text.slice(0, offset).split("\n").length, message }]
        })
      })
  })

if (import.meta.main) {
  const violations = checkLayering(repository)
  for (const { file, line, message } of violations) console.error(`${file}:${line} ${message}`)
  console.log(violations.length === 0 ? "Every import follows the arrows." : `${violations.length} imports do not.`)
  process.exitCode = violations.length === 0 ? 0 : 1
}
