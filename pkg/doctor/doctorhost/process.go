package doctorhost

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/doctor"
)

// writers are programs that write to IPVS's table, as the kernel calls their processes, each with what the file begins with that it
// runs: init scripts have the same names.
var writers = map[string]string{
	"ipvsd": "ipvsd", "keepalived": "keepalived", "ldirectord": "perl", "pulse": "pulse", "lvsd": "lvsd", "kube-proxy": "kube-proxy",
}

// processes returns those of them that run in this network namespace, by number: parents come first.
func processes(links []doctor.Link) (list []doctor.Process) {
	here, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return nil
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		comm, errComm := os.ReadFile(dir + "/comm")
		program, errProgram := os.Readlink(dir + "/exe")
		there, errThere := os.Stat(dir + "/ns/net")
		if err != nil || errComm != nil || errProgram != nil || errThere != nil || !os.SameFile(here, there) {
			continue // it has ended, or is elsewhere
		}
		name, base := strings.TrimSpace(string(comm)), filepath.Base(program)
		switch begins, known := writers[name]; {
		case strings.HasPrefix(base, "ipvsd"):
			name = "ipvsd" // also under another's name
		case !known || !strings.HasPrefix(base, begins):
			continue
		case name == "kube-proxy" && !slices.ContainsFunc(links, func(l doctor.Link) bool { return l.Name == "kube-ipvs0" }):
			continue // it balances without IPVS
		}
		list = append(list, doctor.Process{PID: pid, Name: name, Unit: unit(dir)})
	}
	slices.SortFunc(list, func(a, b doctor.Process) int { return a.PID - b.PID })
	return list
}

// containers are services, by what their names begin with, below which programs of containers are: to stop one ends all of these.
var containers = []string{"containerd", "docker", "crio", "cri-o", "kubelet", "k0s", "k3s", "rke2", "podman"}

// unit returns the service of systemd that a process belongs to, by its control group: none of a user's, and none that runs containers.
func unit(dir string) string {
	text, _ := os.ReadFile(dir + "/cgroup") // none: no systemd
	for line := range strings.Lines(string(text)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if !strings.HasSuffix(part, ".service") {
				continue
			}
			if strings.HasPrefix(part, "user@") || slices.ContainsFunc(containers, func(name string) bool { return strings.HasPrefix(part, name) }) {
				return ""
			}
			return part
		}
	}
	return ""
}

// atBoot returns what loads a saved table when the machine starts: units of systemd, and Debian's init script if it is told to.
func atBoot() []string {
	var units []string
	found, _ := filepath.Glob("/etc/systemd/system/*.wants/ipvsadm*.service")
	for _, name := range found {
		units = append(units, filepath.Base(name))
	}
	links, _ := filepath.Glob("/etc/rc[2-5].d/S*ipvsadm")
	text, _ := os.ReadFile("/etc/default/ipvsadm")
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "AUTO" && strings.Trim(value, `"'`) == "true" && len(links) > 0 {
			units = append(units, "ipvsadm.service")
		}
	}
	slices.Sort(units)
	return slices.Compact(units)
}

// clock asks the kernel, and changes nothing.
func clock() doctor.Clock {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	const unsynchronised = 0x40 // STA_UNSYNC
	_, systemd := os.Stat("/run/systemd/system")
	// Who may not ask has no clock of his own either.
	return doctor.Clock{Synchronised: err != nil || t.Status&unsynchronised == 0, Systemd: systemd == nil}
}
