package probe

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// plugins are all that run. They end by themselves when no check asks them any more, or by ClosePlugins.
var plugins script.Plugins

// ClosePlugins ends the plug-ins that MISC_CHECKs asked. None may run then, or later.
func ClosePlugins() { plugins.Close() }

// Misc is keepalived's MISC_CHECK: the server passes if a command of the user's ends with status 0. If the check is dynamic, it
// passes with status 2 to 255, too, and that gives the weight and 2 more. A command whose time is up has failed, and is ended
// with all that it started.
func Misc(ctx context.Context, c health.Check, s health.Misc) (f health.Finding, err error) {
	command := script.Command{Argv: slices.Collect(s.Argv.All()), User: s.User, Group: s.Group}
	if s.Plugin {
		return askPlugin(ctx, c, command)
	}
	step(ctx, "running %s with %d arguments", command.Argv[0], len(command.Argv)-1) // which may be secret
	output, err := script.Run(ctx, command)
	first, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	if first != "" {
		step(ctx, "it wrote: %s", first)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && s.Dynamic && exit.ExitCode() > 1 {
		step(ctx, "%v", err)
		return health.Finding{Advice: health.Advice{Kind: health.Weigh, Value: int32(exit.ExitCode() - 2)}}, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		how, _ := strings.CutSuffix(err.Error(), ": "+context.DeadlineExceeded.Error())
		err = worded{fmt.Sprintf("it ran for more than %v: %s", c.Timeout, how), lateError{limit: c.Timeout}}
	}
	if err != nil && first != "" {
		err = fmt.Errorf("%w: %s", err, excerpt(first, 200))
	}
	return f, err
}

// askPlugin asks "ADDRESS PORT MILLISECONDS". The answer is "up", which may be followed by a weight, or "down", which may be
// followed by the reason.
func askPlugin(ctx context.Context, c health.Check, command script.Command) (f health.Finding, err error) {
	end, _ := ctx.Deadline()
	question := fmt.Sprintf("%s %d %d", c.Target.Addr(), c.Target.Port(), max(time.Until(end).Milliseconds(), 0))
	step(ctx, "asking the plug-in %s: %s", command.Argv[0], question)
	answer, err := plugins.Ask(ctx, command, question)
	if errors.Is(err, context.DeadlineExceeded) {
		return f, worded{fmt.Sprintf("%v within %v", script.ErrNoAnswer, c.Timeout), lateError{limit: c.Timeout}}
	}
	if err != nil {
		return f, err
	}
	step(ctx, "it answered: %s", answer)
	return parseAnswer(answer)
}

func parseAnswer(answer string) (f health.Finding, err error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case word == "up" && rest == "":
		return f, nil
	case word == "up":
		f.Advice, err = health.ParseAdvice(rest)
		return f, err
	case word == "down" && rest == "":
		return f, errors.New("the plug-in says down")
	case word == "down":
		return f, errors.New(rest)
	}
	return f, fmt.Errorf("the plug-in answered %.40q, neither up nor down", answer)
}
