package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var scriptKeywords = []keyword{
	{in: inMisc, name: "misc_path", kind: command, doc: "the command"},
	{in: inMisc, name: "misc_timeout", kind: soon, doc: "how long it may take; default: delay_loop"},
	{in: inMisc, name: "misc_dynamic", kind: boolean, doc: "exit status 2 to 255 is the weight, and 2 more"},
	{in: inMisc, name: "user", kind: account, doc: "who it is run as"},
	{in: inMisc, name: "plugin", kind: boolean, doc: "the command stays, and is asked a line each time"},

	{in: inFile, name: "track_file", kind: text, doc: "name of a track_file table"},
	{in: inFile, name: "path", kind: path, doc: "the file, instead of a table of its own"},
	{in: inFile | inTrackFile, name: "weight", kind: factor, doc: "the number in the file, times this, is added to the server's weight"},
	{in: inFile | inTrackFile, name: "reverse", kind: boolean, doc: "is subtracted; without a weight, 0 is down and all else up"},
	{in: inTrackFile, name: "file", kind: path, doc: "the file"},
}

func readMisc(c *chain, k *health.Check) {
	var s health.Misc
	run, written := own[Script](c, "misc_path")
	c.missing(`write misc_path = "/usr/local/bin/check"`, "misc_path")
	as, named := own[Script](c, "user")
	switch {
	case named != nil && run.User != "" && named.at.block == written.at.block:
		c.fail(named.key, "write one of them", "misc_path says already that %s runs it", run.User)
	case named != nil:
		run.User, run.Group = as.User, as.Group
	case run.User == "":
		run.User, run.Group = c.user.User, c.user.Group
	}
	s.Argv, s.User, s.Group = health.ListOf(run.Argv...), run.User, run.Group
	s.Dynamic, _ = own[bool](c, "misc_dynamic")
	s.Plugin, _ = own[bool](c, "plugin")
	if dynamic, v := own[bool](c, "misc_dynamic"); dynamic && s.Plugin {
		c.fail(v.key, "leave it out: the answer of a plug-in may have a weight", "misc_dynamic contradicts plugin, which has no exit status")
	}
	k.Timeout = k.DelayLoop
	if limit, v := own[time.Duration](c, "misc_timeout"); v != nil {
		k.Timeout = limit
	}
	k.Spec = s
}

func printMisc(spec health.Spec, _ *printer) inline {
	s := spec.(health.Misc)
	return inline{
		{"misc_path", joinWords(slices.Collect(s.Argv.All())), nil}, {"user", strings.TrimSpace(s.User + " " + s.Group), ""},
		{"misc_dynamic", s.Dynamic, false}, {"plugin", s.Plugin, false},
	}
}

// trackFile is a table track_file.
type trackFile struct {
	path    string
	weight  int64
	reverse bool
}

func (r *report) trackFile(b *block) (f trackFile) {
	f.path, _ = lookup[string]("file", b)
	if b.lacks("file") {
		r.fail(b.at(), `write file = "/run/web.weight"`, "the track_file has no file")
	}
	if v := b.value("weight"); v != nil {
		f.weight, _ = v.data.(int64)
	}
	f.reverse, _ = lookup[bool]("reverse", b)
	return f
}

func readFile(c *chain, k *health.Check) {
	var f trackFile
	c.missing(`write track_file = "NAME", or path = "/run/web.weight"`, "track_file", "path")
	if v := c.nearest(c.own[:], "track_file", "path"); v != nil && v.data != nil {
		name := v.data.(string)
		if v.keyword.name == "path" {
			f.path = name
		} else if known, ok := c.files[name]; ok {
			f = known
		} else {
			hint := "write [track_file." + bare(name) + "] with its file"
			if near := closest(name, sortedKeys(c.files)); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			c.fail(v.at, hint, "there is no track_file %q", name)
		}
	}
	if v := written("weight", c.own[:]...); v != nil {
		f.weight, _ = v.data.(int64)
	}
	if reverse, v := own[bool](c, "reverse"); v != nil {
		f.reverse = reverse
	}
	k.Spec = health.File{Path: f.path, Weight: int32(f.weight), Weighed: f.weight != 0, Reverse: f.reverse}
}

func printFile(spec health.Spec, _ *printer) inline {
	s := spec.(health.File)
	return inline{{"path", s.Path, nil}, {"weight", int64(s.Weight), int64(0)}, {"reverse", s.Reverse, false}}
}
