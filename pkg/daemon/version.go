package daemon

import "runtime/debug"

// Version returns the version of ipvsd as the build noted it: a tag, or a pseudo-version with the commit.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
