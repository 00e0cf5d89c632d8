package main

import (
	"io"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/manual"
)

func TestManual(t *testing.T) {
	t.Setenv("IPVSD_SOCKET", "") // the pages show the default
	manual.Check(t, "../../contrib/man", command(&app{stdout: io.Discard, stderr: io.Discard}))
}
