package fault

import (
	"strings"
	"testing"
)

// Who reads the message can tell a developer where to look, whoever panics: the program, or the runtime on its behalf.
func TestOf(t *testing.T) {
	var none map[string]int
	for name, panics := range map[string]func(){
		"panic: too much at fault_test.go:12":                       func() { panic("too much") },
		"panic: assignment to entry in nil map at fault_test.go:13": func() { none["a"] = 1 },
	} {
		err := func() (err error) {
			defer func() { err = Of(recover()) }()
			panics()
			return nil
		}()
		if want := "a fault in ipvsd, please report it: " + name; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
