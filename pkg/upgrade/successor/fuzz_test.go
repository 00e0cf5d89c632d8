package successor

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A process of another version may say anything: what is heard is a letter of the kind that is waited for, with a body that is JSON, or an error.
func FuzzHear(f *testing.F) {
	for _, text := range []string{
		`{"Kind":"ready","Body":{"PID":1}}`, `{"Kind":"refused","Body":"not today"}` + "\n" + `{"Kind":"ready","Body":null}`, `{"Kind":"refused","Body":7}`, `{"Kind":"ready"}`,
		`{"kind":"ready","BODY":[]}{}`, `null`, `"ready"`, `[[[[[`, "\x00", ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		theirs := os.NewFile(uintptr(pair[1]), "theirs")
		talk, err := newConversation(os.NewFile(uintptr(pair[0]), "ours"))
		if err != nil {
			t.Fatal(err)
		}
		defer talk.Close()
		go func() {
			_, _ = theirs.Write(text)
			_ = theirs.Close()
		}()
		for heard := 0; ; heard++ {
			body, err := talk.Hear(t.Context(), "ready")
			if err == nil && body != nil && !json.Valid(body) || err != nil && body != nil || heard > len(text) {
				t.Fatalf("%q is heard as number %d, %v", body, heard, err)
			}
			if _, refused := errors.AsType[Refused](err); err != nil && !refused {
				break
			}
		}
	})
}
