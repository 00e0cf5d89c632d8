package config

// mostServices is how many services a group can have: a /14, or 262144. Each is an entry in the kernel's table with
// servers of its own, and more of them than that take minutes to program.
const mostServices = 1 << 18

const insteadOfMany = "mark the packets in the firewall instead and write fwmark = 7: one service, however many addresses"
