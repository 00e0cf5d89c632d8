package status_test

import (
	"bytes"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config/difference"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Changes are grouped by what they are about, those of many servers alike come once, and nothing of them reaches the terminal as it is.
func TestAnswerText(t *testing.T) {
	path := []difference.Keyword{{Name: "HTTP_GET.url.path", Was: `"/health"`, Is: `"/live"`}}
	var many []difference.Change
	for _, name := range []string{"198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80", "198.51.100.4:80", "198.51.100.5:80", "198.51.100.6:80", "198.51.100.7:80"} {
		many = append(many, difference.Change{Kind: "real_server", Name: name, Change: difference.Edit, Keywords: path})
	}
	many = append(many,
		difference.Change{Kind: "real_server", Name: "198.51.100.8:80", Change: difference.Add, Keywords: []difference.Keyword{{Name: "weight", Is: "5"}}},
		difference.Change{Kind: "real_server", Name: "198.51.100.9:80", Change: difference.Delete})
	a := status.Answer{
		Configuration: []difference.Change{
			{Kind: "virtual_server", Name: "tcp 192.0.2.1:80", Change: difference.Edit, Members: many},
			{Kind: "vrrp_instance", Name: "VI_1", Change: difference.Edit, Keywords: []difference.Keyword{
				{Name: "priority", Was: "150"}, {Name: "advert_int", Is: "3"},
				{Name: "virtual_ipaddress", Added: []string{`"192.0.2.3/24"`}, Removed: []string{`"192.0.2.2/24"`}},
			}},
			{Kind: "vrrp_sync_group", Name: "VG", Change: difference.Delete},
			{Kind: "global_defs.metrics", Change: difference.Edit, Keywords: []difference.Keyword{{Name: "max_servers", Is: "7"}}},
			{Kind: "top", Change: difference.Edit, Keywords: []difference.Keyword{{Name: "static_routes", Added: []string{"\"\x1b]0;x\x07\""}}}},
		},
		Changes: []string{"edit server 198.51.100.2:80 of tcp 192.0.2.1:80: weight 1 -> weight 3", "delete server 198.51.100.9:80 of tcp 192.0.2.1:80"},
		Waiting: []string{"for a first check to pass before 198.51.100.8:80 joins tcp 192.0.2.1:80"},
	}
	for name, style := range map[string]status.Style{"changes": {}, "changes-color": {Color: true}} {
		var b bytes.Buffer
		if err := a.Text(&b, style); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".golden", b.Bytes())
	}
}
