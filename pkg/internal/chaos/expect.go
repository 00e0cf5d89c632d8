package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is what may be in a table of a server: one of these weights. Absent is for no row at all.
const absent = -1

// rows are what a director's table may say of a server of a service between two moments. None: nobody can tell.
func (j *Judge) rows(server string, from, to time.Duration) []int {
	variant, doubt := j.variant(from, to)
	if doubt {
		return nil
	}
	weight, configured := variant[server]
	if !configured {
		return []int{absent}
	}
	switch up, known := j.up(server, from, to); {
	case !known:
		return nil
	case !up:
		return []int{absent}
	}
	switch drained, known := j.drained(server, from, to); {
	case !known:
		return []int{0, weight}
	case drained:
		return []int{0}
	}
	return []int{weight}
}

// variant is the configuration that is in use.
func (j *Judge) variant(from, to time.Duration) (v Variant, doubt bool) {
	number := 0
	for _, f := range j.faults {
		if f.Kind != Reload || f.begin > to {
			continue
		}
		if from <= plus(f.end, j.bounds.Recover) {
			return nil, true
		}
		number = f.Number
	}
	return j.world.NewVariant(number), false
}

func (j *Judge) up(server string, from, to time.Duration) (up, known bool) {
	up, known = true, true
	for _, f := range j.faults {
		if f.Target != server || f.begin > to || from > plus(f.end, j.bounds.Recover) {
			continue
		}
		if f.nature().loss == detecting && from > f.begin+j.bounds.Detect && to < f.ending {
			return false, true
		}
		if f.Kind != ServerDelay {
			known = false
		}
	}
	return up, known
}

// told is how long an operator's wish may take.
const told = Slack

func (j *Judge) drained(server string, from, to time.Duration) (drained, known bool) {
	for _, f := range j.faults {
		if f.Kind != Drain || f.Server != server || f.begin > to || from > plus(f.end, told) {
			continue
		}
		if from > f.begin+told && to < f.ending {
			return true, true
		}
		return false, false
	}
	return false, true
}

func (j *Judge) judgeTable(d Seen, s Sample, say func(string, ...any)) {
	known := false
	defer func() {
		if known {
			j.judged.Tables++
		}
	}()
	for _, service := range Services {
		table, found := d.Table[service]
		if !found {
			say("the table of %s has no service for %s", d.Name, service)
			continue
		}
		for _, server := range Servers[service] {
			got, there := table[server]
			if !there {
				got = absent
			}
			want := j.rows(server, s.Begin, s.End)
			known = known || want != nil
			if want != nil && !slices.Contains(want, got) {
				say("the table of %s has %s of %s, expected %s", d.Name, inWords(got), server, inWords(want...))
			}
		}
		for server := range table {
			if !slices.Contains(Servers[service], server) {
				say("the table of %s has a server %s of %s that nobody asked for", d.Name, server, service)
			}
		}
	}
	for service := range d.Table {
		if !slices.Contains(Services, service) {
			say("the table of %s has a service %s that nobody asked for", d.Name, service)
		}
	}
}

func inWords(weights ...int) string {
	var words []string
	for _, w := range weights {
		if w == absent {
			words = append(words, "no row")
		} else {
			words = append(words, fmt.Sprintf("weight %d", w))
		}
	}
	return strings.Join(words, " or ")
}

// What a process may take more than when it was seen for the first time, all quiet.
const (
	moreGoroutines  = 25
	moreDescriptors = 25
	moreMemory      = 64 << 10 // KiB
)

func (j *Judge) judgeVitals(d Seen, say func(string, ...any)) {
	first, known := j.baseline[d.Vitals.Process]
	if !known {
		j.baseline[d.Vitals.Process] = *d.Vitals
		return
	}
	j.judged.Vitals++
	for _, v := range []struct {
		what             string
		first, now, more int
	}{
		{"goroutines", first.Goroutines, d.Vitals.Goroutines, moreGoroutines},
		{"open descriptors", first.Descriptors, d.Vitals.Descriptors, moreDescriptors},
		{"KiB of memory", first.Memory, d.Vitals.Memory, moreMemory},
	} {
		if v.now > v.first+v.more {
			say("%s had %d %s at first and has %d", d.Name, v.first, v.what, v.now)
		}
	}
}
