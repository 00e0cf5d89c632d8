package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

// Two processes see the same network namespace if they see a netlink socket in common; that of the kernel without a number is none.
func TestMeets(t *testing.T) {
	const head = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(head+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here := file("here", "0000 0 0 00000000 0 0 0 2 0 0\n0000 0 727 00000551 0 0 0 2 0 10871\n")
	same := file("same", "0000 16 5 00000000 0 0 0 2 0 9\n0000 0 727 00000551 0 0 0 2 0 10871\n")
	other := file("other", "0000 0 0 00000000 0 0 0 2 0 0\n0000 0 727 00000551 0 0 0 2 0 10872\n")
	if !meets(same, here) || meets(other, here) || meets("/no/such", here) || meets(here, "/no/such") {
		t.Error("namespaces are taken for others")
	}
}
