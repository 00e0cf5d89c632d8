package main

import (
	"encoding/json"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// texter is what prints itself for people.
type texter func(io.Writer, status.Style) error

// print prints v as JSON or text, as the user asked for.
func (a *app) print(v any, text texter) error {
	if a.output == "json" {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	return text(a.stdout, status.Style{Color: a.colors()})
}

// answer prints what came of a plan or a reload. A rejected configuration is on stderr, and an exit code.
func (a *app) answer(r *status.Answer) error {
	if a.output == "json" {
		if err := a.print(r, r.Text); err != nil {
			return err
		}
	} else if err := r.Problems(a.stderr); err != nil {
		return err
	} else if err := r.Text(a.stdout, status.Style{Color: a.colors()}); err != nil {
		return err
	}
	switch {
	case r.Rejected != "":
		return exit(exitConfig)
	case len(r.Refused) > 0:
		return exit(exitFailure)
	}
	return nil
}

func (a *app) colors() bool {
	if a.color != "auto" {
		return a.color == "always"
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && a.terminal()
}

// terminal says whether what is printed goes to a terminal.
func (a *app) terminal() bool {
	f, ok := a.stdout.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
