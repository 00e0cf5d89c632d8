package main

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
)

// programs are the Debian packages of all that takes part.
var programs = []string{"keepalived", "ipvsadm", "ldirectord", "haproxy", "pen", "nginx-light", "bind9", "apache2-utils", "dnsperf"}

// versions says which versions of them there are.
func versions() []string {
	list := []string{runtime.Version()}
	for _, name := range programs {
		version, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err == nil && len(version) > 0 {
			list = append(list, name+" "+string(version))
		}
	}
	return list
}

// kernel says which kernel this is.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "an unknown kernel"
	}
	name := "Linux " + string(bytes.TrimSpace(release))
	if os.Getenv("IPVSD_LAB") == "uml" {
		name += " (User Mode Linux, one processor)"
	}
	return name
}

// commit is what this program was built of, which ipvsd was, too.
func commit() string {
	name, err := exec.Command("git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty= with changes").Output()
	if err != nil {
		return "unknown"
	}
	return string(bytes.TrimSpace(name))
}
