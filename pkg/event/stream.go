package event

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Item is what a watcher gets from a stream: one of these, or nothing but a Position.
type Item struct {
	Begin    *Begin
	Event    *Event
	Missed   uint64
	Position Position // where to read on after it; zero: as before
	End      bool     // there is no more, and nothing was lost
	More     bool     // another item follows at once; not told on the wire
}

// The names of frames that are no events.
const (
	beginName  = "begin"
	missedName = "missed"
	endName    = "end"
)

// AppendTo appends the frame of an item.
func (i *Item) AppendTo(b []byte) []byte {
	var name string
	var data any
	switch {
	case i.Begin != nil:
		name, data = beginName, i.Begin
		b = append(b, "retry: 1000\n"...) // milliseconds until a browser comes back
	case i.Event != nil:
		data = i.Event
	case i.Missed > 0:
		name, data = missedName, Missed{i.Missed}
	case i.End:
		name, data = endName, struct{}{}
	default:
		b = append(b, ": alive\n"...)
	}
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	if i.Position.Epoch != "" {
		b = append(append(append(b, "id: "...), i.Position.String()...), '\n')
	}
	if data != nil {
		text, _ := json.Marshal(data) // on one line; texts, numbers and times of our years can't fail
		b = append(append(append(b, "data: "...), text...), '\n')
	}
	return append(b, '\n')
}

// longestLine is how long a line of a stream may be: reasons are bounded where they come from.
const longestLine = 256 << 10

// Reader reads a stream.
type Reader struct {
	lines *bufio.Scanner
}

// NewReader returns a reader of a stream.
func NewReader(r io.Reader) *Reader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	return &Reader{lines}
}

// Next returns the next item, with io.ErrUnexpectedEOF where the stream broke off. Frames and fields of another daemon, newer than this
// client, are passed over.
func (r *Reader) Next() (Item, error) {
	var name, data string
	var item Item
	for r.lines.Scan() {
		line := r.lines.Text()
		if line == "" {
			known, err := item.take(name, data)
			if err != nil || known {
				return item, err
			}
			name, data = "", ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			data += value
		case "id":
			p, err := ParsePosition(value)
			if err != nil {
				return Item{}, fmt.Errorf("the stream of events: %w", err)
			}
			item.Position = p
		}
		if len(data) > longestLine {
			return Item{}, errors.New("the stream of events has an event without end")
		}
	}
	if err := r.lines.Err(); err != nil {
		return Item{}, err
	}
	return Item{}, io.ErrUnexpectedEOF
}

// take makes an item of a frame. It says whether that is one which is known.
func (i *Item) take(name, data string) (known bool, err error) {
	read := func(v any) {
		if err = json.Unmarshal([]byte(data), v); err != nil {
			err = fmt.Errorf("the stream of events: %w", err)
		}
	}
	switch name {
	case "":
		if data != "" {
			i.Event = new(Event)
			read(i.Event)
		}
	case beginName:
		i.Begin = new(Begin)
		read(i.Begin)
	case missedName:
		var m Missed
		read(&m)
		i.Missed = m.Count
	case endName:
		i.End = true
	default:
		return false, nil
	}
	return true, err
}
