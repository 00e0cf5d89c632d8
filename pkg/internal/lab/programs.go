package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ProgramsVariable names a directory with ipvsd and ipvsctl as they are to be tested. make test sets it: to build them takes a minute in
// the lab, in each package. Without it they are built, so that whoever calls go test need not think of it.
const ProgramsVariable = "IPVSD_PROGRAMS"

// Programs puts ipvsd and ipvsctl into a directory, of the sources that the test was built of.
func Programs(dir string) error {
	if from := os.Getenv(ProgramsVariable); from != "" {
		return errors.Join(copyProgram(from, dir, "ipvsd"), copyProgram(from, dir, "ipvsctl"))
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "github.com/ipvsd/ipvsd/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build has it
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	return nil
}

func copyProgram(from, to, name string) error {
	b, err := os.ReadFile(filepath.Join(from, name))
	if err != nil {
		return fmt.Errorf("%s: %w", ProgramsVariable, err)
	}
	return os.WriteFile(filepath.Join(to, name), b, 0o755) //nolint:gosec // it is a program
}
