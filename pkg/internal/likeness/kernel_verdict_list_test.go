//go:build kernel

package likeness

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
)

// likewise is a check in keepalived's words and in ours. "#" is the last number of the server's address, DIR a directory.
type likewise struct {
	name         string
	theirs, ours string
	more         string                           // lines of the virtual server, the same for both but for the syntax: "key value"
	weight       func(w world, n int) (int, bool) // of server n, and whether it is in the table
	theirWeight  func(w world, n int) (int, bool) // the same by keepalived where that differs
}

// world is what is the matter with each thing of each server: "web 2" is "frozen".
type world map[string]string

// is says whether a thing of server n is in one of these states.
func (w world) is(thing string, n int, states ...string) bool {
	return slices.Contains(states, w[fmt.Sprint(thing, " ", n)])
}

// full is the weight of every server as long as no check says something else.
const full = 10

// passes gives a server its weight as long as a condition holds; otherwise it is not in the table.
func passes(f func(w world, n int) bool) func(world, int) (int, bool) {
	return func(w world, n int) (int, bool) { return full, f(w, n) }
}

const (
	goodPage  = "Pagina de Prueba\n"
	otherPage = "Down for Maintenance\n"
)

func md5of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func likewises() []likewise {
	digest := md5of(goodPage)
	served := func(w world, n int) bool { return w.is("web", n, "well") }
	good := func(w world, n int) bool { return served(w, n) && w.is("page", n, "good") }
	both := func(w world, n int) bool { return good(w, n) && w.is("second", n, "there") }
	always := func(world, int) bool { return true }
	never := func(world, int) bool { return false }
	return []likewise{
		{
			name: "TCP_CHECK", theirs: "TCP_CHECK { }", ours: "TCP_CHECK = true",
			weight: passes(func(w world, n int) bool { return !w.is("web", n, "stopped") }),
		}, {
			name:   "HTTP_GET status",
			theirs: "HTTP_GET { url { path /\n status_code 200 } }", ours: `HTTP_GET = { http_protocol = "1.0", url = { path = "/", status_code = "200" } }`,
			weight: passes(func(w world, n int) bool { return served(w, n) && !w.is("page", n, "missing") }),
		}, {
			name:   "HTTP_GET other status",
			theirs: "HTTP_GET { url { path /moved\n status_code 301 302-303 } }", ours: `HTTP_GET = { url = { path = "/moved", status_code = "301 302-303" } }`,
			weight: passes(served),
		}, {
			name:   "HTTP_GET digest",
			theirs: "HTTP_GET { url { path /\n digest " + digest + " } }", ours: `HTTP_GET = { url = { path = "/", digest = "` + digest + `" } }`,
			weight: passes(good),
		}, {
			name: "HTTP_GET regex",
			theirs: `HTTP_GET { http_protocol 1.1
				virtualhost www.lab.local
				url { path /
				regex "PAGINA de [a-z]+"
				regex_options caseless } }`,
			ours:   `HTTP_GET = { http_protocol = "1.1", virtualhost = "www.lab.local", url = { path = "/", regex = "PAGINA de [a-z]+", regex_options = "caseless" } }`,
			weight: passes(good),
		}, {
			name:   "HTTP_GET regex_no_match",
			theirs: "HTTP_GET { url { path /\n regex Maintenance\n regex_no_match } }",
			ours:   `HTTP_GET = { url = { path = "/", regex = "Maintenance", regex_no_match = true } }`,
			weight: passes(good),
		}, {
			name:   "HTTP_GET of two pages in turn",
			theirs: "HTTP_GET { url { path /\n digest " + digest + " }\n url { path /second\n status_code 200 } }",
			ours:   `HTTP_GET = { fast_recovery = false, url = [{ path = "/", digest = "` + digest + `" }, { path = "/second", status_code = "200" }] }`,
			weight: passes(both),
		}, {
			name:   "HTTP_GET of two pages",
			theirs: "HTTP_GET { fast_recovery\n url { path /\n digest " + digest + " }\n url { path /second\n status_code 200 } }",
			ours:   `HTTP_GET = { fast_recovery = true, url = [{ path = "/", digest = "` + digest + `" }, { path = "/second", status_code = "200" }] }`,
			weight: passes(both),
		}, {
			name:   "SSL_GET",
			theirs: "SSL_GET { connect_port 443\n url { path /\n digest " + digest + " } }", ours: `SSL_GET = { connect_port = 443, url = { path = "/", digest = "` + digest + `" } }`,
			weight: passes(good),
		}, {
			name: "inhibit_on_failure", more: "inhibit_on_failure",
			theirs: "HTTP_GET { url { path /\n digest " + digest + " } }", ours: `HTTP_GET = { url = { path = "/", digest = "` + digest + `" } }`,
			weight: func(w world, n int) (int, bool) {
				if !good(w, n) {
					return 0, true
				}
				return full, true
			},
		}, {
			name:   "SMTP_CHECK",
			theirs: "SMTP_CHECK { connect_port 25\n helo_name lab }", ours: `SMTP_CHECK = { connect_port = 25, helo_name = "lab" }`,
			weight: passes(func(w world, n int) bool { return w.is("mail", n, "well") }),
		}, {
			name:   "DNS_CHECK",
			theirs: "DNS_CHECK { connect_port 53\n type A\n name www.lab.local\n retry 1\n delay_before_retry 0.1 }",
			ours:   `DNS_CHECK = { connect_port = 53, type = "A", name = "www.lab.local", tcp = false }`,
			weight: passes(func(w world, n int) bool { return w.is("names", n, "well") }),
		}, {
			name:   "DNS_CHECK of no name",
			theirs: "DNS_CHECK { connect_port 53\n type A\n name nowhere.lab.local\n retry 1\n delay_before_retry 0.1 }",
			ours:   `DNS_CHECK = { connect_port = 53, type = "A", name = "nowhere.lab.local", tcp = false }`,
			weight: passes(never),
		}, {
			name:   "DNS_CHECK of an empty answer",
			theirs: "DNS_CHECK { connect_port 53\n type MX\n name www.lab.local\n retry 1\n delay_before_retry 0.1 }",
			ours:   `DNS_CHECK = { connect_port = 53, type = "MX", name = "www.lab.local", tcp = false }`,
			weight: passes(func(w world, n int) bool { return w.is("names", n, "well") }),
		}, {
			name:   "MISC_CHECK",
			theirs: "MISC_CHECK { misc_path \"/usr/local/lib/status DIR/status#\"\n misc_timeout 10\n delay_loop 2\n retry 1 }",
			ours:   `MISC_CHECK = { misc_path = "/usr/local/lib/status DIR/status#", misc_timeout = 10, delay_loop = 2, retry = 1 }`,
			weight: passes(func(w world, n int) bool { return w.is("status", n, "0") }),
		}, {
			name:   "MISC_CHECK with misc_dynamic",
			theirs: "MISC_CHECK { misc_path \"/usr/local/lib/status DIR/status#\"\n misc_timeout 10\n delay_loop 2\n retry 1\n misc_dynamic }",
			ours:   `MISC_CHECK = { misc_path = "/usr/local/lib/status DIR/status#", misc_timeout = 10, delay_loop = 2, retry = 1, misc_dynamic = true }`,
			weight: func(w world, n int) (weight int, in bool) {
				switch {
				case w.is("status", n, "0"):
					return full, true
				case w.is("status", n, "2"):
					return 0, true
				case w.is("status", n, "255"):
					return 253, true
				}
				return 0, false
			},
		}, {
			name:   "UDP_CHECK",
			theirs: "UDP_CHECK { connect_port 7 }", ours: `UDP_CHECK = { connect_port = 7 }`,
			weight: passes(func(w world, n int) bool { return !w.is("echo", n, "stopped") }),
		}, {
			name:   "UDP_CHECK with require_reply",
			theirs: "UDP_CHECK { connect_port 7\n payload \"70 69 6e 67\"\n require_reply \"70 6X 6e\"\n min_reply_length 4\n max_reply_length 4 }",
			ours:   `UDP_CHECK = { connect_port = 7, payload = "70 69 6e 67", require_reply = "70 6X 6e", min_reply_length = 4, max_reply_length = 4 }`,
			weight: passes(func(w world, n int) bool { return w.is("echo", n, "pong") }),
		}, {
			name:   "PING_CHECK",
			theirs: "PING_CHECK { connect_ip 10.0.100.1# }", ours: `PING_CHECK = { connect_ip = "10.0.100.1#" }`,
			weight: passes(func(w world, n int) bool { return w.is("link", n, "up") }),
		}, {
			name:   "FILE_CHECK",
			theirs: "FILE_CHECK { track_file maintenance#\n weight 0 }", ours: `FILE_CHECK = { track_file = "maintenance#" }`,
			weight: passes(func(w world, n int) bool { return w.is("file", n, "0") }),
		}, {
			name:   "FILE_CHECK with a weight",
			theirs: "FILE_CHECK { track_file maintenance#\n weight 2 }", ours: `FILE_CHECK = { track_file = "maintenance#", weight = 2 }`,
			weight: func(w world, n int) (int, bool) {
				switch {
				case w.is("file", n, "3"):
					return full + 6, true
				case w.is("file", n, "-4"):
					return full - 8, true
				}
				return full, true
			},
		}, {
			name:   "several",
			theirs: "SMTP_CHECK { connect_port 25\n helo_name lab }\nHTTP_GET { url { path /second\n status_code 200 } }\nMISC_CHECK { misc_path \"/usr/local/lib/status DIR/status#\"\n misc_timeout 10\n delay_loop 2 }",
			ours: `SMTP_CHECK = { connect_port = 25, helo_name = "lab" }
HTTP_GET = { url = { path = "/second", status_code = "200" } }
MISC_CHECK = { misc_path = "/usr/local/lib/status DIR/status#", misc_timeout = 10, delay_loop = 2 }`,
			weight: passes(func(w world, n int) bool {
				return w.is("mail", n, "well") && served(w, n) && w.is("second", n, "there") && w.is("status", n, "0")
			}),
		}, {
			// RFC 5321 lets any answer have several lines; keepalived takes 250- for a failure.
			name:   "SMTP_CHECK of a server that answers HELO in two lines",
			theirs: "SMTP_CHECK { connect_port 2525 }", ours: `SMTP_CHECK = { connect_port = 2525 }`,
			weight: passes(always), theirWeight: passes(never),
		}, {
			// HTTP/1.1 lets the server send in chunks; keepalived takes their lengths for a part of the page.
			name:   "HTTP_GET of a page in chunks",
			theirs: "HTTP_GET { connect_port 8081\n http_protocol 1.1\n url { path /\n digest " + digest + " } }",
			ours:   `HTTP_GET = { connect_port = 8081, http_protocol = "1.1", url = { path = "/", digest = "` + digest + `" } }`,
			weight: passes(always), theirWeight: passes(never),
		},
	}
}
