/** What runs in the sandboxes of the conformance suite in the place of the bridge. */

/**
 * A program for `/bin/sh`: `sh -c <this>`. It leaves something running that hides (no parent, a session of its own), writes
 * its environment into `.stand-in/environment` in the workspace with NULs between, adds a line to `starts` there, and stays
 * until there is a file `stop`. Needs `env`, `mkdir`, `mv`, `rm`, `setsid` and `sleep`.
 */
export const sandboxStandIn = `
mkdir -p "$HOLDFAST_WORKSPACE/.stand-in" && cd "$HOLDFAST_WORKSPACE/.stand-in" || exit 1
rm -f stop
(setsid sleep 86400 </dev/null >/dev/null 2>&1 &)
env -0 >environment.new
mv environment.new environment
echo started >>starts
while [ ! -e stop ]; do sleep 0.05; done
`
