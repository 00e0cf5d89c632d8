// Package difference says what one configuration has that another one has not, in the words of the file: services, servers, their
// checks, virtual routers, settings. It compares what holds, not how it is written, and shows no secrets. It starts no goroutines.
package difference

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// What becomes of an object, in the words of a plan's steps.
const (
	Add    = "add"
	Edit   = "edit"
	Delete = "delete"
)

// Change is what becomes of one object of a configuration.
type Change struct {
	Kind     string    `json:"kind"`           // the table of the file: "vrrp_instance", "real_server"; "top" is what stands before all tables
	Name     string    `json:"name,omitempty"` // absent: there is one of the kind, or they have no names
	Change   string    `json:"change"`         // add, edit or delete
	Keywords []Keyword `json:"keywords,omitempty"`
	Members  []Change  `json:"members,omitempty"` // servers of a virtual server
}

// Keyword is how a keyword of an object differs. The values are TOML, with "(hidden)" for secrets; absent is that nothing is written and
// the default holds. Lists have what is added and removed instead, unless only their order differs.
type Keyword struct {
	Name    string   `json:"keyword"` // of a check, with its type: "HTTP_GET.path"
	Was     string   `json:"was,omitempty"`
	Is      string   `json:"is,omitempty"`
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// Of returns the changes from one configuration to another, in the order of the new one, with those of a kind together.
func Of(was, is *config.Config) []Change {
	before := make(map[string]*config.VirtualServer, len(was.VirtualServers))
	for _, vs := range was.VirtualServers {
		before[vs.Name] = vs
	}
	stay := make(map[*config.VirtualServer]bool) // the loader gives out the same object for the same text
	for _, vs := range is.VirtualServers {
		if had := before[vs.Name]; had == vs || had != nil && reflect.DeepEqual(had, vs) {
			stay[had], stay[vs] = true, true
		}
	}
	pass := func(vs *config.VirtualServer) bool { return stay[vs] }
	return changes(config.Objects(was, pass), config.Objects(is, pass))
}

// identity tells the objects of a list apart. Those without names are counted.
type identity struct {
	kind, name string
	n          int
}

func identify(list []config.Object) (ids []identity, byID map[identity]*config.Object) {
	byID = make(map[identity]*config.Object, len(list))
	for i := range list {
		id := identity{kind: list[i].Kind, name: list[i].Name}
		for byID[id] != nil {
			id.n++
		}
		ids, byID[id] = append(ids, id), &list[i]
	}
	return ids, byID
}

func changes(was, is []config.Object) (list []Change) {
	before, old := identify(was)
	after, fresh := identify(is)
	var kinds []string
	of := make(map[string][]Change)
	note := func(c Change) {
		if !slices.Contains(kinds, c.Kind) {
			kinds = append(kinds, c.Kind)
		}
		of[c.Kind] = append(of[c.Kind], c)
	}
	for _, id := range after {
		if c := change(old[id], fresh[id]); c != nil {
			note(*c)
		}
	}
	for _, id := range before {
		if fresh[id] == nil {
			if c := change(old[id], nil); c != nil {
				note(*c)
			}
		}
	}
	for _, kind := range kinds {
		list = append(list, of[kind]...)
	}
	return list
}

// change returns what becomes of an object that was there (or nil) and is (or nil); nil if nothing does.
func change(was, is *config.Object) *Change {
	none := new(config.Object)
	switch {
	case was == nil:
		c := &Change{Kind: is.Kind, Name: is.Name, Change: Add, Keywords: keywords(nil, written(is.Keywords)), Members: changes(nil, is.Members)}
		return c.unlessEmpty()
	case is == nil:
		c := &Change{Kind: was.Kind, Name: was.Name, Change: Delete, Members: changes(was.Members, none.Members)}
		if was.Name == "" {
			c.Keywords = keywords(written(was.Keywords), nil)
		}
		return c.unlessEmpty()
	}
	c := &Change{Kind: is.Kind, Name: is.Name, Change: Edit, Keywords: keywords(was.Keywords, is.Keywords), Members: changes(was.Members, is.Members)}
	if len(c.Keywords)+len(c.Members) == 0 {
		return nil
	}
	return c
}

// unlessEmpty returns nil for what comes or goes without a name and a keyword: a table of which all is as it would be anyway.
func (c *Change) unlessEmpty() *Change {
	if c.Name == "" && len(c.Keywords) == 0 {
		return nil
	}
	return c
}

// written leaves out what would hold anyway.
func written(list []config.Keyword) []config.Keyword {
	return slices.DeleteFunc(slices.Clone(list), func(k config.Keyword) bool { return k.Default })
}

func keywords(was, is []config.Keyword) (list []Keyword) {
	find := func(in []config.Keyword, name string) *config.Keyword {
		if i := slices.IndexFunc(in, func(k config.Keyword) bool { return k.Name == name }); i >= 0 {
			return &in[i]
		}
		return nil
	}
	for i := range is {
		list = append(list, keyword(find(was, is[i].Name), &is[i])...)
	}
	for i := range was {
		if find(is, was[i].Name) == nil {
			list = append(list, keyword(&was[i], nil)...)
		}
	}
	return list
}

func keyword(was, is *config.Keyword) []Keyword {
	switch {
	case was == nil && is.Default, is == nil && was.Default:
		return nil
	case was == nil:
		return []Keyword{simple(Keyword{Name: is.Name, Is: is.Value(), Added: is.Items()})}
	case is == nil:
		return []Keyword{simple(Keyword{Name: was.Name, Was: was.Value(), Removed: was.Items()})}
	case was.Same(is):
		return nil
	}
	if old, fresh := was.Fields(), is.Fields(); len(old) > 0 && len(fresh) > 0 {
		list := keywords(old, fresh)
		for i := range list {
			list[i].Name = is.Name + "." + list[i].Name
		}
		return list
	}
	if old, fresh := was.Items(), is.Items(); len(old)+len(fresh) > 0 {
		k := Keyword{Name: is.Name, Added: without(fresh, old), Removed: without(old, fresh)}
		if len(k.Added)+len(k.Removed) > 0 {
			return []Keyword{k}
		}
	}
	return []Keyword{{Name: is.Name, Was: was.Value(), Is: is.Value()}}
}

// simple shows a list by its items alone.
func simple(k Keyword) Keyword {
	if len(k.Added)+len(k.Removed) > 0 {
		k.Was, k.Is = "", ""
	}
	return k
}

func without(list, others []string) (left []string) {
	for _, s := range list {
		if !slices.Contains(others, s) {
			left = append(left, s)
		}
	}
	return left
}

// String says what a keyword becomes: "priority: 150 -> 100".
func (k Keyword) String() string {
	switch {
	case k.Was == "" && k.Is == "":
		var text strings.Builder
		text.WriteString(k.Name + ":")
		for _, s := range k.Removed {
			text.WriteString(" -" + s)
		}
		for _, s := range k.Added {
			text.WriteString(" +" + s)
		}
		return text.String()
	case k.Was == "":
		return fmt.Sprintf("%s: default -> %s", k.Name, k.Is)
	case k.Is == "":
		return fmt.Sprintf("%s: %s -> default", k.Name, k.Was)
	}
	return fmt.Sprintf("%s: %s -> %s", k.Name, k.Was, k.Is)
}
