package health

import "fmt"

// State is what is known of a server.
type State uint8

// The states of a Checker and of a Verdict.
const (
	Unchecked State = iota // no probe has ended yet
	Up
	Down
)

// String returns "unchecked", "up" or "down".
func (s State) String() string {
	switch s {
	case Unchecked:
		return "unchecked"
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText makes a state a JSON string.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for _, t := range []State{Unchecked, Up, Down} {
		if string(b) == t.String() {
			*s = t
			return nil
		}
	}
	return fmt.Errorf("%q is not unchecked, up or down", b)
}
