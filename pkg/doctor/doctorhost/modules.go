package doctorhost

import (
	"os"
	"path"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/doctor"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// modules returns what there is of those that IPVS may need.
func modules(release string) map[string]doctor.ModuleState {
	names := []string{"ip_vs", "ip_vs_ftp", "ip_vs_pe_sip", "nf_conntrack"}
	for _, s := range ipvs.Schedulers {
		names = append(names, "ip_vs_"+s)
	}
	dir := "/lib/modules/" + release
	builtin, loadable := listed(dir+"/modules.builtin"), listed(dir+"/modules.dep")
	found := map[string]doctor.ModuleState{}
	for _, name := range names {
		_, err := os.Stat("/sys/module/" + name)
		switch {
		case err == nil || builtin[name]:
			found[name] = doctor.Loaded
		case loadable[name]:
			found[name] = doctor.Loadable
		default:
			found[name] = doctor.Missing
		}
	}
	return found
}

// listed returns the names of the modules in a file of depmod's, which has a line such as "kernel/net/ipvs/ip_vs.ko.xz: ..." for each.
func listed(file string) map[string]bool {
	names := map[string]bool{}
	text, _ := os.ReadFile(file) // there is none, as in containers: no module can be loaded
	for line := range strings.Lines(string(text)) {
		file, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ := strings.Cut(path.Base(file), ".")
		names[strings.ReplaceAll(name, "-", "_")] = true
	}
	return names
}
