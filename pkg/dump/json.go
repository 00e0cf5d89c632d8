package dump

import (
	"encoding/json"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Versions of the JSON: keepalived's json_version.
const (
	Version1 = 1 // an array of instances
	Version2 = 2 // an object, with the processes that are tracked
)

type instance struct {
	Data  data  `json:"data"`
	Stats stats `json:"stats"`
}

// data has keepalived's names, in its order.
type data struct {
	Name               string      `json:"iname"`
	DontTrackPrimary   int         `json:"dont_track_primary"`
	SkipCheckAdvAddr   int         `json:"skip_check_adv_addr"`
	Strict             int         `json:"strict_mode"`
	VMAC               string      `json:"vmac_ifname"`
	Interface          string      `json:"ifp_ifname"`
	MasterPriority     uint8       `json:"master_priority"`
	LastTransition     json.Number `json:"last_transition"`
	GARPDelay          int         `json:"garp_delay"`
	GARPRefresh        int         `json:"garp_refresh"`
	GARPRepeat         int         `json:"garp_rep"`
	GARPRefreshRepeat  int         `json:"garp_refresh_rep"`
	GARPLowerDelay     int         `json:"garp_lower_prio_delay"`
	GARPLowerRepeat    int         `json:"garp_lower_prio_rep"`
	LowerNoAdvert      int         `json:"lower_prio_no_advert"`
	HigherSendAdvert   int         `json:"higher_prio_send_advert"`
	VRID               uint8       `json:"vrid"`
	Base               uint8       `json:"base_priority"`
	Effective          uint8       `json:"effective_priority"`
	VIPSet             bool        `json:"vipset"`
	PromoteSecondaries bool        `json:"promote_secondaries"`
	AdvertInterval     float64     `json:"adver_int"`        // seconds
	MasterInterval     float64     `json:"master_adver_int"` // seconds
	Accept             int         `json:"accept"`
	NoPreempt          bool        `json:"nopreempt"`
	PreemptDelay       int         `json:"preempt_delay"`
	State              int         `json:"state"`
	WantState          int         `json:"wantstate"`
	Version            uint8       `json:"version"`
	Mail               bool        `json:"smtp_alert"`
	TellDeleted        bool        `json:"notify_deleted"`
	Addresses          []string    `json:"vips,omitempty"`
	Excluded           []string    `json:"evips,omitempty"`
	Routes             []string    `json:"vroutes,omitempty"`
	Rules              []string    `json:"vrules,omitempty"`
	Interfaces         []string    `json:"track_ifp,omitempty"`
	Scripts            []string    `json:"track_script,omitempty"`
	AuthType           *int        `json:"auth_type,omitempty"`
	AuthData           string      `json:"auth_data,omitempty"`
}

type stats struct {
	Received     uint64 `json:"advert_rcvd"`
	Sent         uint64 `json:"advert_sent"`
	Became       uint64 `json:"become_master"`
	Released     uint64 `json:"release_master"`
	Length       uint64 `json:"packet_len_err"`
	Interval     uint64 `json:"advert_interval_err"`
	TTL          uint64 `json:"ip_ttl_err"`
	Type         uint64 `json:"invalid_type_rcvd"`
	AddressList  uint64 `json:"addr_list_err"`
	AuthHeader   uint64 `json:"invalid_authtype"`
	AuthType     uint64 `json:"authtype_mismatch"`
	AuthFailures uint64 `json:"auth_failure"`
	ZeroReceived uint64 `json:"pri_zero_rcvd"`
	ZeroSent     uint64 `json:"pri_zero_sent"`
}

// process is a vrrp_track_process of version 2.
type process struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
}

// JSON writes keepalived.json.
func (s State) JSON(version int) ([]byte, error) {
	list := []instance{}
	for _, m := range s.members() {
		list = append(list, instance{s.data(m), m.stats()})
	}
	if version < Version2 {
		return line(list)
	}
	processes := []process{}
	for _, o := range s.Routers.Objects {
		if o.Kind == vrrp.TrackProcess.String() {
			processes = append(processes, process{o.Name, o.Up})
		}
	}
	return line(struct {
		Routers   []instance `json:"vrrp"`
		Processes []process  `json:"track_process"`
	}{list, processes})
}

func line(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(text, '\n'), err
}

// states are keepalived's numbers.
var states = map[string]int{
	vrrp.Initialize.String(): 0, vrrp.Backup.String(): 1, vrrp.Active.String(): 2, vrrp.Fault.String(): 3,
}

func (s State) data(m member) data {
	garp := m.announce()
	d := data{
		Name: m.Name, SkipCheckAdvAddr: number(m.SkipCheckAddresses), Strict: number(m.Strict), Interface: m.Interface,
		DontTrackPrimary: number(len(m.tracked(vrrp.TrackInterface)) == 0),
		MasterPriority:   m.is.ActivePriority, LastTransition: json.Number(stamp(m.is.Since)),
		GARPDelay: seconds(garp.Delay), GARPRefresh: seconds(garp.Refresh), GARPRepeat: garp.Repeat, GARPRefreshRepeat: garp.RefreshRepeat,
		GARPLowerDelay: seconds(garp.LowerDelay), GARPLowerRepeat: garp.LowerRepeat,
		LowerNoAdvert: number(m.LowerPrioNoAdvert), HigherSendAdvert: number(m.HigherPrioSendAdvert),
		VRID: m.VRID, Base: m.Priority, Effective: m.is.Effective, VIPSet: m.active(), PromoteSecondaries: m.PromoteSecondaries,
		AdvertInterval: m.AdvertInterval.Seconds(), MasterInterval: m.AdvertInterval.Seconds(), Accept: number(len(m.Active.Denied) == 0),
		NoPreempt: !m.Preempt, PreemptDelay: seconds(m.PreemptDelay), State: states[m.is.State], WantState: states[m.wanted()],
		Version: m.Version, Mail: m.Notify.Mail, TellDeleted: m.Notify.TellDeleted,
	}
	if m.Parent != "" {
		d.VMAC, d.Interface = m.Interface, m.Parent
	}
	if m.is.Learned > 0 {
		d.MasterInterval = m.is.Learned.Seconds()
	}
	d.Addresses, d.Excluded = m.addresses()
	for _, r := range m.Active.Routes {
		d.Routes = append(d.Routes, r.String())
	}
	for _, r := range m.Active.Rules {
		d.Rules = append(d.Rules, r.String())
	}
	for _, t := range m.tracked(vrrp.TrackInterface) {
		if t.Name != m.Interface {
			d.Interfaces = append(d.Interfaces, t.Name)
		}
	}
	for _, t := range m.tracked(vrrp.TrackScript) {
		d.Scripts = append(d.Scripts, s.command(t.Name))
	}
	if m.Version == 2 {
		n, _ := m.auth()
		if d.AuthType = &n; n != 0 {
			d.AuthData = hidden
		}
	}
	return d
}

func (m member) stats() stats {
	c := m.is.Counters
	return stats{
		Received: c.Received, Sent: c.Sent, Became: c.BecameActive, Released: c.LeftActive,
		Length: m.rejected(vrrp.RejectLength), Interval: m.rejected(vrrp.RejectInterval), TTL: m.rejected(vrrp.RejectTTL),
		Type: m.rejected(vrrp.RejectType), AddressList: c.Mismatched, AuthHeader: m.rejected(vrrp.RejectAuthHeader),
		AuthType: m.rejected(vrrp.RejectAuthType), AuthFailures: m.authFailures(), ZeroReceived: c.PriorityZeroReceived, ZeroSent: c.PriorityZeroSent,
	}
}

func seconds(d time.Duration) int { return int(d / time.Second) }
