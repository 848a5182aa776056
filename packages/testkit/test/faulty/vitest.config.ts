import config from "../../../../vitest.config.ts"

const { globalSetup: _, projects: __, ...test } = config.test!

// Whoever runs this looks after the processes.
export default { ...config, test: { ...test, include: ["*.suites.ts"] } }
