package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity says how bad a Finding is.
type Severity string

// The severities.
const (
	Problem Severity = "problem" // clients lose requests, or will as soon as there are some
	Warning Severity = "warning" // they will under conditions that come sooner or later
	Note    Severity = "note"    // it is worth knowing
)

// Finding is something that is wrong.
type Finding struct {
	ID       string   `json:"id"` // stays the same for ever; there may be several findings with it
	Severity Severity `json:"severity"`
	Where    string   `json:"where"`
	What     string   `json:"what"`
	Why      string   `json:"why"`            // it matters
	On       string   `json:"on,omitempty"`   // the machine that Mend is for; absent: this one
	Mend     []string `json:"mend,omitempty"` // commands, each as it is to be typed; absent: no command mends it
	Then     string   `json:"then,omitempty"` // what is to be known or done besides
}

// Report is all that there is to say about a machine.
type Report struct {
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"` // the worst first
	Unseen   []Unseen  `json:"unseen,omitempty"`
}

// questions are all that is asked of the facts. What can't be answered is noted as unseen.
var questions = []func(*Facts, *Report){
	forwarding, returnPath, direct, tunnelEnd, oneNetwork, redirects, reversePath, claims, arpOfServers, vipOfServers, tunnelMTU,
	modules, connectionTable, conntrack, reuse, tracked, estimation, receiveOffload, duplicateRouters, rejectedAdverts,
	syncDaemons, rivals, clock,
}

// Examine answers all questions.
func Examine(f *Facts) *Report {
	r := &Report{At: f.At, Findings: []Finding{}, Unseen: slices.Clone(f.Unseen)}
	for _, ask := range questions {
		ask(f, r)
	}
	worst := []Severity{Problem, Warning, Note}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(worst, a.Severity), slices.Index(worst, b.Severity))
	})
	return r
}

func (r *Report) found(f Finding) { r.Findings = append(r.Findings, f) }

func (r *Report) unseen(id, format string, args ...any) {
	r.Unseen = append(r.Unseen, Unseen{id, fmt.Sprintf(format, args...)})
}

// set is the command that sets a sysctl, by its path. Sysctl(8) takes dots unless a name of an interface has one.
func set(path string, value int) string {
	if !strings.Contains(path, ".") {
		path = strings.ReplaceAll(path, "/", ".")
	}
	return fmt.Sprintf("sysctl -w %s=%d", word(path), value)
}

// word is a name as a shell takes it: those of interfaces can have all bytes but blanks, / and :.
func word(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if name != "" && strings.TrimFunc(name, plain) == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// kept is what Then says of sysctls.
const kept = "Until the machine starts again; to keep it, put the same without \"sysctl -w\" into a file such as /etc/sysctl.d/60-ipvs.conf."

// count is a number with its noun.
func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some lists a few of many.
func some(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
