package admin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// Record is a wish in a place that keeps each on its own, for several directors.
type Record struct {
	Name string // no other wish has it: "198.51.100.1:80", "weight/198.51.100.1:80/tcp%20192.0.2.1:80"
	Text []byte // JSON, which UnmarshalJSON of a State reads
}

// name returns the name of the wishes about something.
func (k Key) name() string {
	name := k.Server.String()
	if k.Service != "" {
		name += "/" + url.PathEscape(k.Service)
	}
	if k.Weight {
		name = "weight/" + name
	}
	return name
}

// Record returns a wish as all directors have it.
func (w *Wish) Record() (Record, error) {
	text, err := json.Marshal(document{format, []Wish{w.shared()}})
	return Record{w.Key().name(), text}, err
}

// FromRecords returns the State of all records. One that can't be read is an error, as in UnmarshalJSON: it may be of a later ipvsd.
func FromRecords(list []Record) (State, error) {
	wishes := make(map[Key]Wish, len(list))
	if len(list) > MaxWishes {
		return State{}, fmt.Errorf("there are %d wishes; %d are allowed", len(list), MaxWishes)
	}
	for _, r := range list {
		var one State
		if err := json.Unmarshal(r.Text, &one); err != nil {
			return State{}, fmt.Errorf("%s: %w", r.Name, err)
		}
		if len(one.wishes) != 1 {
			return State{}, fmt.Errorf("%s has %d wishes, not one", r.Name, len(one.wishes))
		}
		for k, w := range one.wishes {
			if k.name() != r.Name {
				return State{}, fmt.Errorf("%s has a wish that is named %s", r.Name, k.name())
			}
			wishes[k] = w
		}
	}
	return State{wishes}, nil
}

// Lasts returns for how long a wish is remembered from now on: until 30 days after its end. Zero: as long as there is no end of it.
func (w *Wish) Lasts(now time.Time) time.Duration {
	var end time.Time
	if w.Cleared {
		end = time.Unix(0, w.Version)
	}
	if end = earlier(end, w.Expires); end.IsZero() {
		return 0
	}
	return max(end.Add(remembered).Sub(now), time.Second)
}
