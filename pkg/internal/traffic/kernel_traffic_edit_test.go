//go:build kernel

package traffic

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// download is a file on its way from a web server, which can't send more than is read.
type download struct {
	t    *testing.T
	body io.ReadCloser
	got  int64
}

func startDownload(t *testing.T, from *lab.Host, at netip.AddrPort) *download {
	t.Helper()
	client := from.HTTP()
	client.Timeout = ipvsd.Patience
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/download", at), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.ContentLength != lab.DownloadSize {
		t.Fatalf("%s: %d bytes to come, want %d", at, response.ContentLength, lab.DownloadSize)
	}
	return &download{t: t, body: response.Body}
}

// read reads so many more bytes.
func (d *download) read(when string, bytes int64) {
	d.t.Helper()
	n, err := io.CopyN(io.Discard, d.body, bytes)
	d.got += n
	if err != nil {
		d.t.Fatalf("%s the download ends after %d bytes: %v", when, d.got, err)
	}
}

// inUse is the service that TestKernelTrafficEdits edits, in each family: server, flags and others are about to change.
const inUse = `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "rr"
#flags
TCP_CHECK = false
[[virtual_server.real_server]]
address = "10.0.100.2:80"
weight = 1
#others
`

// inet6 is the same in IPv6.
func inet6(config string) string {
	return strings.NewReplacer(
		"192.168.1.202:", "[2001:db8:1::202]:", "10.0.100.2:", "[2001:db8:100::2]:", "10.0.100.3:", "[2001:db8:100::3]:",
		"10.0.100.4:", "[2001:db8:100::4]:").Replace(config)
}

// verbs are the first words of changes, each once, without those of the other family.
func verbs(changes []string) string {
	var words []string
	for _, c := range changes {
		if word, _, _ := strings.Cut(c, " "); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// TestKernelTrafficEdits: whatever a reload changes, around a server or of it, its downloads go on.
func TestKernelTrafficEdits(t *testing.T) {
	c := lab.NewWebCluster(t)
	config := inUse
	d := ipvsd.Start(t, c.Director, config+inet6(config))
	downloads := []*download{startDownload(t, c.Client, lab.WebVIP), startDownload(t, c.Client, lab.WebVIP6)}
	for _, e := range []struct{ old, new, changes string }{
		{`"rr"`, `"wlc"`, "edit"},
		{`"wlc"`, `"mh"`, "edit"},
		{"#flags", "mh-port = true\nmh-fallback = true\n#flags", "edit"},
		{"#flags", "persistence_timeout = 100\n#flags", "edit"},
		{"= 100", "= 200", "edit"},
		{"#flags", "persistence_granularity = 24\n#flags", "edit"},
		{"weight = 1", "weight = 50", "edit"},
		{"weight = 50", "weight = 50\nuthreshold = 1\nlthreshold = 1", "edit"},
		{"#others", "[[virtual_server.real_server]]\naddress = \"10.0.100.3:80\"\nweight = 3\n#others", "add"},
		{"weight = 3\n#others", "weight = 4\n[[virtual_server.real_server]]\naddress = \"10.0.100.4:80\"", "add edit"},
		{"address = \"10.0.100.3:80\"\nweight = 4\n[[virtual_server.real_server]]\n", "weight = 9\n", "delete edit"},
		{"weight = 50", "weight = 0", "edit"},
	} {
		if !strings.Contains(config, e.old) {
			t.Fatalf("there is no %q", e.old)
		}
		config = strings.Replace(config, e.old, e.new, 1)
		a := d.Load(config + inet6(config))
		when := fmt.Sprintf("with %q for %q", e.new, e.old)
		if got := verbs(a.Changes); got != e.changes {
			t.Errorf("%s the reload is to %s, but did %q", when, e.changes, a.Changes)
		}
		for _, download := range downloads {
			download.read(when, 1<<20)
		}
	}
	for i, vip := range []netip.AddrPort{lab.WebVIP, lab.WebVIP6} {
		lines, err := c.Director.ReadConnections(vip)
		if err != nil || !strings.Contains(fmt.Sprint(lines), "ESTABLISHED") {
			t.Errorf("before its end, ipvsadm -Lnc shows %q of the download, %v", lines, err)
		}
		downloads[i].read("at the end", lab.DownloadSize-downloads[i].got)
	}
}
