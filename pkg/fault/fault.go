// Package fault says that the program itself is wrong. Where bytes come from others (a server's answer, a configuration, a request), a panic
// over them must not end the director's work for everybody else: it becomes an error of this one answer, file or request.
package fault

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Of returns what a panic was over, as an error with the file and line that panicked. It is to be called by the deferred function that
// recovered, with what recover returned.
func Of(recovered any) error {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)]) // without Callers, Of and the deferred function
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Errorf("a fault in ipvsd, please report it: panic: %v at %s:%d", recovered, path.Base(f.File), f.Line)
		}
	}
}
