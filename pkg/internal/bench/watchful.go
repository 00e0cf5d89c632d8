package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func watchfulIPVSD(bin, dir string, w watchful, servers int) contender {
	file := filepath.Join(dir, "watchful.toml")
	return contender{
		name:  "ipvsd",
		start: ipvsdCommand(bin, dir, file),
		fresh: func() { _ = os.Remove(filepath.Join(dir, "owned.json")) },
		write: func(b *bench, _ int) {
			lines := []string{"[global_defs]", "lvs_flush_on_stop = true", "[[virtual_server]]", fmt.Sprintf("address = %q", vip(0)+":80"),
				`protocol = "TCP"`, `lb_algo = "rr"`}
			for _, word := range w.words {
				key, value, given := strings.Cut(word, " ")
				if !given {
					value = "true"
				}
				lines = append(lines, key+" = "+value)
			}
			lines = append(lines, w.more...)
			if w.http {
				lines = append(lines, `HTTP_GET = { url = { path = "/", regex = "Pagina de Prueba" } }`)
			} else {
				lines = append(lines, "TCP_CHECK = true")
			}
			lines = append(lines, "real_servers = [")
			for n := range servers {
				lines = append(lines, fmt.Sprintf("%q,", target(n)))
			}
			b.write(file, append(lines, "]"))
		},
	}
}

func watchfulKeepalived(dir string, w watchful, servers int) contender {
	file := filepath.Join(dir, "watchful.conf")
	return contender{
		name:  "keepalived",
		start: keepalivedCommand(dir, file),
		write: func(b *bench, _ int) {
			forgetKeepalived(dir)
			lines := []string{"global_defs {", "lvs_flush_on_stop VS", "}", fmt.Sprintf("virtual_server %s 80 {", vip(0)), "protocol TCP",
				"lb_algo rr", "lb_kind NAT"}
			lines = append(lines, w.words...)
			check := "TCP_CHECK { }"
			if w.http {
				check = "HTTP_GET {\nurl {\npath /\nregex \"Pagina de Prueba\"\n}\n}"
			}
			for n := range servers {
				lines = append(lines, fmt.Sprintf("real_server %s 80 {", rip(n)), check, "}")
			}
			b.write(file, append(lines, "}"))
		},
	}
}

// watchfulLdirectord is scenario 2 as it was.
func watchfulLdirectord(dir string, servers int) contender {
	file := filepath.Join(dir, "watchful.cf")
	return contender{
		name:  "ldirectord",
		start: []string{"ldirectord", file, "start"},
		write: func(b *bench, _ int) {
			lines := []string{"supervised = yes", "checktimeout = 10", "checkinterval = 2", "autoreload = no", "quiescent = yes",
				fmt.Sprintf("virtual = %s:80", vip(0))}
			for n := range servers {
				lines = append(lines, fmt.Sprintf("\treal = %s masq", target(n)))
			}
			b.write(file, append(lines, "\tservice = http", "\trequest = \"ldirector.html\"", "\treceive = \"Pagina de Prueba\"", "\tscheduler = rr",
				"\tprotocol = tcp", "\tchecktype = negotiate"))
		},
	}
}
