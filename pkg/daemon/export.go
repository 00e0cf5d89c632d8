package daemon

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/ipvsadm"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// The formats of a table in a file.
const (
	FormatTOML    = "toml"    // ipvsd's configuration
	FormatIPVSAdm = "ipvsadm" // of ipvsadm -Sn
)

// format is how a table is written and read.
type format struct {
	write func(ipvs.Table, ipvs.Settings) []byte
	read  func(name string, source []byte) (*config.Config, config.Diagnostics)
}

var formats = map[string]format{
	FormatTOML:    {func(t ipvs.Table, s ipvs.Settings) []byte { return config.Format(config.Of(t, s)) }, config.Load},
	FormatIPVSAdm: {ipvsadm.Format, ipvsadm.Load},
}

// formatOf tells the format of a file: a line of ipvsadm's begins with an option or with the program's name, which no line of
// TOML does.
func formatOf(text []byte) string {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			if word := bytes.Fields(line)[0]; word[0] == '-' || bytes.HasSuffix(word, []byte("ipvsadm")) {
				return FormatIPVSAdm
			}
			break
		}
	}
	return FormatTOML
}

// Export writes a table in a format, so that Import makes the same of it. It returns what the format can't express, too, and
// what is the same all the same if it is written otherwise.
func Export(k *status.Kernel, name string) (text []byte, lost []string, err error) {
	f, ok := formats[name]
	if !ok {
		return nil, nil, fmt.Errorf("there is no format %q", name)
	}
	table, settings := k.Table()
	settle(table)
	text = f.write(table, settings)
	cfg, problems := f.read(name, text)
	if problems.Err() != nil {
		table, settings, lost = f.expressible(table, settings)
		text = f.write(table, settings)
		if cfg, problems = f.read(name, text); problems.Err() != nil {
			return nil, nil, problems.Err()
		}
	}
	// What was read back is what an import would make of it.
	for _, s := range reconcile.Diff(table, desired.Exact(cfg, desired.Everything(table))).Steps {
		lost = append(lost, "an import will differ: "+s.String())
	}
	return text, lost, nil
}

// settle drops from a table what no format keeps because it means nothing: the granularity of a persistence that is off. The
// order in which servers were added is that of their addresses in a file, as it is after an import.
func settle(t ipvs.Table) {
	for i := range t {
		if t[i].Persistence == 0 {
			t[i].Granularity = t[i].Family.Bits()
		}
		for j := range t[i].Destinations {
			t[i].Destinations[j].Rank = len(t[i].Destinations) - 1 - j
		}
	}
}

// expressible returns the part of a table and of settings that the format can express, and why not the rest.
func (f format) expressible(t ipvs.Table, s ipvs.Settings) (ipvs.Table, ipvs.Settings, []string) {
	var lost []string
	can := func(what string, t ipvs.Table, s ipvs.Settings) bool {
		_, problems := f.read("", f.write(t, s))
		if i := slices.IndexFunc(problems, func(d config.Diagnostic) bool { return d.Severity == config.Error }); i >= 0 {
			lost = append(lost, "left out: "+what+": "+problems[i].Message)
			return false
		}
		return true
	}
	var some ipvs.Settings
	for _, part := range []struct {
		what string
		ipvs.Settings
		take func()
	}{
		{"timeouts", ipvs.Settings{Timeouts: s.Timeouts}, func() { some.Timeouts = s.Timeouts }},
		{"sync daemon master", ipvs.Settings{Master: s.Master}, func() { some.Master = s.Master }},
		{"sync daemon backup", ipvs.Settings{Backup: s.Backup}, func() { some.Backup = s.Backup }},
	} {
		if can(part.what, nil, part.Settings) {
			part.take()
		}
	}
	var kept ipvs.Table
	for i := range t {
		service, none := t[i], ipvs.Settings{}
		service.Destinations = nil
		if !can("service "+service.Service.String(), ipvs.Table{service}, none) {
			continue
		}
		for _, d := range t[i].Destinations {
			one := service
			one.Destinations = []ipvs.DestinationStatus{d}
			if can(fmt.Sprintf("server %s of %s", d.Destination, service.ServiceKey), ipvs.Table{one}, none) {
				service.Destinations = append(service.Destinations, d)
			}
		}
		kept = append(kept, service)
	}
	return kept, some, lost
}
