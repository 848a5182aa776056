/** Looks at each tarball with publint and are-the-types-wrong: do its exports and its types resolve for those who install it? */
import { runQuietly, withTarballs } from "./pack.ts"

/** What exists in this repository only, under the condition for sources: the bridge's build. */
const sourceOnly = ["--exclude-entrypoints", "./build"]

withTarballs((packed) => {
  for (const { manifest, tarball } of packed) {
    runQuietly("npx", ["--no", "--", "publint", tarball, "--strict"])
    runQuietly("npx", ["--no", "--", "attw", tarball, "--profile", "esm-only", "--no-definitely-typed", ...sourceOnly])
    console.log(`${manifest.name} resolves.`)
  }
})
