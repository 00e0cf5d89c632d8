package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// assert says how a document differs from what is asserted.
func assert(document []byte, want health.Assertion) error {
	if !json.Valid(document) {
		return fmt.Errorf("%q is not JSON", excerpt(string(document), 60))
	}
	value, err := lookup(document, want.Path)
	if err != nil {
		return fmt.Errorf("JSON %s: %w", want.Path, err)
	}
	if want.Value != "" && !equalJSON(value, want.Value) {
		return fmt.Errorf("JSON %s is %s; want %s", want.Path, excerpt(string(value), 80), want.Value)
	}
	return nil
}

// lookup returns the value at the end of a path, which only parses what lies on it.
func lookup(document []byte, path string) (json.RawMessage, error) {
	value := json.RawMessage(document)
	for name := range strings.SplitSeq(path, ".") {
		value = bytes.TrimSpace(value)
		switch value[0] {
		case '{':
			var object map[string]json.RawMessage
			if err := json.Unmarshal(value, &object); err != nil {
				return nil, err
			}
			inner, there := object[name]
			if !there {
				return nil, fmt.Errorf("there is no %q", name)
			}
			value = inner
		case '[':
			var array []json.RawMessage
			if err := json.Unmarshal(value, &array); err != nil {
				return nil, err
			}
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(array) {
				return nil, fmt.Errorf("there is no %q in a list of %d", name, len(array))
			}
			value = array[i]
		default:
			return nil, errors.New("there is no " + strconv.Quote(name) + " in " + excerpt(string(value), 60))
		}
	}
	return bytes.TrimSpace(value), nil
}

// equalJSON says whether a value is the one that is written: as JSON, a string without its quotes.
func equalJSON(value json.RawMessage, want string) bool {
	var text string
	if value[0] == '"' {
		return json.Unmarshal(value, &text) == nil && text == want
	}
	var a, b bytes.Buffer
	if json.Compact(&a, value) != nil || json.Compact(&b, []byte(want)) != nil {
		return false
	}
	if x, err := strconv.ParseFloat(a.String(), 64); err == nil {
		y, err := strconv.ParseFloat(b.String(), 64)
		return err == nil && x == y
	}
	return a.String() == b.String()
}
