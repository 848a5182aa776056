/** Looks at each tarball with publint and are-the-types-wrong: do its exports and its types resolve for those who install it? */
import { run, withTarballs } from "./pack.ts"

/** What exists in this repository only, under the condition for sources: the bridge's build. */
const sourceOnly = ["--exclude-entrypoints", "./build"]

withTarballs((packed) => {
  for (const { tarball } of packed) {
    run("npx", ["--no", "--", "publint", tarball, "--strict"])
    run("npx", ["--no", "--", "attw", tarball, "--profile", "esm-only", "--no-definitely-typed", ...sourceOnly])
  }
})
