/** The suites over everything that is faulty, and over the same without the fault. Run by `suites.test.ts`, not with the rest. */
import { backendFaults, registerCleaning } from "./backendFaults.ts"
import { titleOf } from "./Fault.ts"
import { logFaults } from "./logFaults.ts"
import { sandboxFaults } from "./sandboxFaults.ts"

for (const fault of [...backendFaults, ...logFaults, ...sandboxFaults]) {
  for (const isFaulty of [false, true]) fault.register(titleOf(fault, isFaulty), isFaulty)
}
registerCleaning()
