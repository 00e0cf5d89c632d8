package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// format is the version of the JSON form.
const format = 1

// MaxWishes is how many wishes there may be in a State that is to be read again, with those that were cleared.
const MaxWishes = 100_000

// document is the JSON form: {"version": 1, "wishes": [{"server": "198.51.100.1:80", "what": "drain", ...}]}.
type document struct {
	Version int    `json:"version"`
	Wishes  []Wish `json:"wishes"`
}

// MarshalJSON writes what UnmarshalJSON reads: all wishes, sorted, also those that were cleared.
func (s State) MarshalJSON() ([]byte, error) {
	d := document{format, make([]Wish, 0, len(s.wishes))}
	for _, w := range s.wishes {
		d.Wishes = append(d.Wishes, w)
	}
	sortWishes(d.Wishes)
	return json.Marshal(d)
}

// UnmarshalJSON reads a State. One of a later version, with unknown fields, or of which something can't be true is an error: half of what
// the operator wants might be the opposite of it.
func (s *State) UnmarshalJSON(text []byte) error {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if v.Version != format {
		return fmt.Errorf("it has version %d; this ipvsd reads %d", v.Version, format)
	}
	var d document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after its end")
	}
	if len(d.Wishes) > MaxWishes {
		return fmt.Errorf("there are %d wishes in it; %d are allowed", len(d.Wishes), MaxWishes)
	}
	wishes := make(map[Key]Wish, len(d.Wishes))
	for i := range d.Wishes {
		w := &d.Wishes[i]
		if err := w.Validate(); err != nil {
			return fmt.Errorf("wish %d, about %s: %w", i+1, w.Server, err)
		}
		if _, twice := wishes[w.Key()]; twice {
			return fmt.Errorf("wish %d, about %s: it is there twice", i+1, w.Server)
		}
		wishes[w.Key()] = *w
	}
	*s = State{wishes}
	return nil
}
