package member

import (
	"fmt"
	"maps"
	"slices"
)

// Shelf holds what a source has in many items: files of a directory, keys of etcd. Of one that can't be read, what it had before goes on:
// a file that somebody edits takes no servers away. The zero Shelf is empty.
type Shelf struct {
	items map[string]item
	whole bool // all items could be read once
}

type item struct {
	members []Member
	err     error
}

// Put takes an item as it is now.
func (s *Shelf) Put(name string, list []Member, err error) {
	if s.items == nil {
		s.items = make(map[string]item)
	}
	if err != nil {
		list = s.items[name].members
	}
	s.items[name] = item{list, err}
}

// Keep drops the items that are none of these.
func (s *Shelf) Keep(has func(name string) bool) {
	maps.DeleteFunc(s.items, func(name string, _ item) bool { return !has(name) })
}

// Report returns the members of all items, and what is wrong with some of these. As long as there was no answer in which all could be
// read, there is none with less: who has just started doesn't know what the others held.
func (s *Shelf) Report(source Source) Report {
	r := Report{Source: source}
	wrong := 0
	for _, name := range slices.Sorted(maps.Keys(s.items)) {
		it := s.items[name]
		r.Members = append(r.Members, it.members...)
		if it.err != nil {
			if wrong++; wrong == 1 {
				r.Warning = fmt.Sprintf("%s: %v; it counts as it was before", name, it.err)
			}
		}
	}
	if wrong > 1 {
		r.Warning += fmt.Sprintf(" (and %d more)", wrong-1)
	}
	if wrong > 0 && !s.whole {
		return Report{Source: source, Err: r.Warning}
	}
	s.whole = true
	if r.Members = Arrange(r.Members); len(r.Members) > MaxMembers {
		r.Warning = fmt.Sprintf("there are more than %d servers; the rest is left out", MaxMembers)
		r.Members = r.Members[:MaxMembers]
	}
	return r
}
