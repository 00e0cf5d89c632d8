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

// sources is what the programs are made of, this one included. Changes of anything else, such as the book, change no figure.
var sources = []string{"--", "cmd", "pkg", "scripts", "go.mod", "go.sum"}

// changed is the end of a commit's name where there are sources that it does not have.
const changed = " with changes"

// commit is the last one that changed the sources of this program, and of ipvsd, which was built at the same time.
func commit() string {
	name, err := exec.Command("git", append([]string{"log", "-1", "--abbrev=12", "--format=%h"}, sources...)...).Output()
	if err != nil {
		return "unknown" + changed
	}
	status, err := exec.Command("git", append([]string{"status", "--porcelain"}, sources...)...).Output()
	if err != nil || len(status) > 0 {
		return string(bytes.TrimSpace(name)) + changed
	}
	return string(bytes.TrimSpace(name))
}
