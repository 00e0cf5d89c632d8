package script

import (
	"os"
	"sync"
)

// kept is how much of a command's output is kept.
const kept = 4096

// output reads what a command writes: the beginning is kept, the rest thrown away, so that neither a chatty command waits
// for us nor we for it.
type output struct {
	ended chan struct{} // closed when nobody can write any more
	mu    sync.Mutex
	begin []byte
}

// drain reads to the end and closes the file.
func drain(r *os.File) *output {
	o := &output{ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		defer func() { _ = r.Close() }()
		buf := make([]byte, kept)
		for {
			n, err := r.Read(buf)
			if err != nil {
				return
			}
			o.mu.Lock()
			o.begin = append(o.begin, buf[:min(n, kept-len(o.begin))]...)
			o.mu.Unlock()
		}
	}()
	return o
}

// text returns what was kept until now.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.begin)
}
