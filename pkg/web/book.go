package web

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// book keeps the services as they were told last, with the edition in which each has changed, so that a browser gets only those that have
// changed since it asked.
type book struct {
	edition  uint64
	order    []string // keys of the services
	ordered  uint64   // the edition in which order has changed
	services map[string]entry
}

type entry struct {
	text    json.RawMessage
	changed uint64 // edition
}

// write makes the next edition of services.
func (b *book) write(services []service) error {
	b.edition++
	was := b.services
	b.services = make(map[string]entry, len(services))
	order := make([]string, len(services))
	same := len(order) == len(b.order)
	for i := range services {
		text, err := json.Marshal(&services[i])
		if err != nil {
			return fmt.Errorf("%s: %w", services[i].Key, err)
		}
		e, known := was[services[i].Key]
		if !known || !bytes.Equal(e.text, text) {
			e = entry{text, b.edition}
		}
		order[i] = services[i].Key
		b.services[order[i]] = e
		same = same && b.order[i] == order[i]
	}
	if !same {
		b.order, b.ordered = order, b.edition
	}
	return nil
}

// since returns the services that have changed after an edition, and the keys of all of them if those have. Edition 0 is before all.
func (b *book) since(edition uint64) (changed []json.RawMessage, order []string) {
	changed = []json.RawMessage{}
	for _, key := range b.order {
		if e := b.services[key]; e.changed > edition {
			changed = append(changed, e.text)
		}
	}
	if edition == 0 || b.ordered > edition {
		order = b.order
		if order == nil {
			order = []string{}
		}
	}
	return changed, order
}
