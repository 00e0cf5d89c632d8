package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// agentLimit is how long an agent's answer may be, in bytes.
const agentLimit = 4096

// Agent is HAProxy's agent-check: a line of words from an agent on the server. HAProxy leaves what the line doesn't mention as it was;
// here each line stands for itself, so that "up" gives a drained server its weight back, as "ready" does.
func Agent(ctx context.Context, c health.Check, s health.Agent) (f health.Finding, err error) {
	conn, err := dialUpTo(ctx, c, agentLimit)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	if s.Send != "" {
		if _, err := io.WriteString(conn, s.Send); err != nil {
			return f, err
		}
		step(ctx, "sent %q", s.Send)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return f, err
	}
	step(ctx, "the agent says %q", line)
	f.Advice, err = parseAgent(line)
	return f, err
}

// parseAgent understands an agent's words, which may come in any order: of those that contradict each other the one counts that
// leaves the server less. The error is why the server is down.
func parseAgent(line string) (advice health.Advice, err error) {
	words, reason, _ := strings.Cut(line, "#")
	var down string
	var known, idle bool
	for word := range strings.FieldsFuncSeq(words, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) }) {
		known = true
		switch name := strings.ToLower(word); {
		case name == "up", name == "ready", strings.HasPrefix(name, "maxconn:"): // IPVS has no limit that the agent may set
		case name == "down", name == "fail", name == "failed", name == "stopped":
			down = name
		case name == "drain", name == "maint":
			idle = true
		case strings.HasSuffix(name, "%"):
			if advice, err = health.ParseAdvice(name); err != nil {
				return health.Advice{}, fmt.Errorf("the agent says %w", err)
			}
		default:
			return health.Advice{}, fmt.Errorf("the agent says %.80q, which is no word of agent-check", word)
		}
	}
	reason = strings.TrimSpace(reason)
	switch {
	case down != "" && reason != "":
		return health.Advice{}, fmt.Errorf("the agent says %s: %.200q", down, reason)
	case down != "":
		return health.Advice{}, fmt.Errorf("the agent says %s", down)
	case !known:
		return health.Advice{}, errors.New("the agent says nothing")
	case idle:
		return health.Advice{Kind: health.Weigh, Value: 0}, nil
	}
	return advice, nil
}
