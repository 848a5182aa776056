/** Addresses that only this machine reaches. */

/** Whether a host name or address is a loopback one: `localhost`, `127.0.0.0/8` or `::1`. */
export const isLoopback = (host: string): boolean => {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "")
  return (
    name === "localhost" ||
    name === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name) ||
    name.startsWith("::ffff:127.")
  )
}
