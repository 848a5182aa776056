/** Whether a control plane can be reached from a vendor's network, as far as its URL tells. */
import { BlockList, isIP } from "node:net"

/** Addresses that mean something else, or nothing, in another network (RFC 6890). */
const notPublic = new BlockList()
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16]
] as const) {
  notPublic.addSubnet(net, prefix, "ipv4")
}
for (const [net, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10]
] as const) {
  notPublic.addSubnet(net, prefix, "ipv6")
}

/** Names that no public name server knows: RFC 6761, 6762, 8375 and ICANN's `.internal`. */
const localSuffix = /(^|\.)(localhost|local|internal|home\.arpa|lan|test)$/

/** Why bridges elsewhere cannot use this URL, or undefined. */
export const whyNotPublic = (url: URL): string | undefined => {
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
  const version = isIP(host)
  const isLocal =
    version === 0
      ? localSuffix.test(host) || !host.includes(".")
      : notPublic.check(host, version === 4 ? "ipv4" : "ipv6")
  if (isLocal) {
    return (
      `the control plane ${url.origin} is only reached from this machine or its network, and the sandbox is elsewhere: ` +
      "give the public https URL of the server, or of a tunnel to it"
    )
  }
  return url.protocol === "https:"
    ? undefined
    : `the control plane ${url.origin} is not https: the sandbox's token would cross the internet for all to read`
}
