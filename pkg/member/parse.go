package member

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// group is some servers and what they have in common, as in the files of Prometheus' file_sd.
type group struct {
	Targets []string          `json:"targets" toml:"targets"`
	Address string            `json:"address" toml:"address"` // the only target
	Weight  *int64            `json:"weight" toml:"weight"`
	Tags    []string          `json:"tags" toml:"tags"`
	Name    string            `json:"name" toml:"name"`
	Labels  map[string]string `json:"labels" toml:"labels"` // each a tag "key=value"; those called weight, tags and name are what they say
}

// file is a file in TOML, or one in JSON that is no list.
type file struct {
	Servers []group `json:"servers" toml:"servers"`
}

// ParseJSON reads a list of groups, or a table with the list "servers".
func ParseJSON(text []byte) ([]Member, error) {
	text = bytes.TrimSpace(text)
	var f file
	into := any(&f)
	if bytes.HasPrefix(text, []byte("[")) {
		into = &f.Servers
	}
	if err := decode(text, into); err != nil {
		return nil, err
	}
	return members(f.Servers)
}

// decode reads one JSON value with no keys but those that are known.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// ParseTOML reads tables [[servers]].
func ParseTOML(text []byte) ([]Member, error) {
	var f file
	meta, err := toml.Decode(string(text), &f)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s is unknown: a group of [[servers]] has targets, weight, tags, name, labels", unknown[0])
	}
	return members(f.Servers)
}

// ParseValue reads what a key of etcd is set to: a group in JSON, or an address.
func ParseValue(text []byte) ([]Member, error) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("{")) {
		m, err := At(string(text))
		return []Member{m}, err
	}
	var g group
	if err := decode(text, &g); err != nil {
		return nil, err
	}
	return members([]group{g})
}

func members(groups []group) (list []Member, err error) {
	for i := range groups {
		if list, err = groups[i].add(list); err != nil {
			return nil, fmt.Errorf("group %d: %w", i+1, err)
		}
	}
	return Arrange(list), nil
}

// add adds the members of a group. What is written by hand is right as a whole, or it is a mistake.
func (g *group) add(list []Member) ([]Member, error) {
	if g.Address != "" {
		g.Targets = append(g.Targets, g.Address)
	}
	common := Member{}
	tags := g.Tags
	for key, value := range g.Labels {
		switch key {
		case "weight":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("the label weight is %.40q, and no number", value)
			}
			g.Weight = &n
		case "name":
			g.Name = value
		case "tags":
			tags = append(tags, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })...)
		default:
			if label := key + "=" + value; IsTag(label) {
				tags = append(tags, label)
			}
		}
	}
	for _, t := range tags {
		if !IsTag(t) {
			return nil, fmt.Errorf("%.80q can't be a tag: it may have letters, digits and . _ - = : / @ +", t)
		}
	}
	if g.Name != "" && !IsName(g.Name) {
		return nil, fmt.Errorf("%.80q can't be a name: it may have up to 63 letters, digits, dots, dashes and underscores", g.Name)
	}
	common.Describe(g.Name, tags...)
	if g.Weight != nil {
		if *g.Weight < 0 || *g.Weight > 1<<31-1 {
			return nil, fmt.Errorf("there is no weight %d", *g.Weight)
		}
		common.Weigh(*g.Weight)
	}
	for _, t := range g.Targets {
		m, err := At(t)
		if err != nil {
			return nil, err
		}
		m.Weight, m.Name, m.Tags = common.Weight, common.Name, common.Tags
		if list = append(list, m); len(list) > MaxMembers {
			return nil, fmt.Errorf("there are more than %d servers", MaxMembers)
		}
	}
	return list, nil
}
