package app

import "runtime/debug"

// revisionLength is how much of a commit's hash names it.
const revisionLength = 12

// Version returns what the release build says, or else the version of the module or
// its commit.
func Version(released string) string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v == "(devel)" {
			v = s.Value[:min(len(s.Value), revisionLength)]
		}
	}
	return v
}
