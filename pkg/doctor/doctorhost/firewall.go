package doctorhost

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// sourceNAT returns the rules that change the source of packets, of iptables and of nftables, where the kernel has them at work. With an
// error there are those that it could read.
func sourceNAT(ctx context.Context) ([]string, error) {
	rules, err := nftRules()
	if err != nil {
		return nil, err
	}
	for names, program := range map[string]string{"/proc/net/ip_tables_names": "iptables", "/proc/net/ip6_tables_names": "ip6tables"} {
		text, _ := os.ReadFile(names) // none: the kernel hasn't got them at work
		if !strings.Contains(string(text), "nat") {
			continue
		}
		more, err := iptablesRules(ctx, program)
		if err != nil {
			return rules, err
		}
		rules = append(rules, more...)
	}
	return rules, nil
}

func iptablesRules(ctx context.Context, program string) (rules []string, err error) {
	path, err := exec.LookPath(program + "-legacy-save")
	if err != nil {
		if path, err = exec.LookPath(program + "-save"); err != nil {
			return nil, fmt.Errorf("the kernel has rules of %s, and %[1]s-save is not installed: whether they change sources is not known", program)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, "-t", "nat")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", path, err, bytes.TrimSpace(stderr.Bytes()))
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-A ") && (strings.Contains(line, "-j MASQUERADE") || strings.Contains(line, "-j SNAT")) {
			rules = append(rules, program+" "+line)
		}
	}
	return rules, nil
}

func nftRules() (rules []string, err error) {
	if _, err := os.Stat("/sys/module/nf_tables"); err != nil {
		return nil, nil // to ask would load it
	}
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("rules of nftables: %w", err)
	}
	chains, err := c.ListChains()
	if err != nil {
		return nil, fmt.Errorf("rules of nftables: %w", err)
	}
	for _, chain := range chains {
		if chain.Type != nftables.ChainTypeNAT {
			continue
		}
		list, err := c.GetRules(chain.Table, chain)
		if err != nil {
			return nil, fmt.Errorf("rules of nftables: %w", err)
		}
		for _, r := range list {
			for _, e := range r.Exprs {
				if changesSource(e) {
					rules = append(rules, fmt.Sprintf("nft chain %s %s, handle %d", chain.Table.Name, chain.Name, r.Handle))
				}
			}
		}
	}
	return rules, nil
}

func changesSource(e expr.Any) bool {
	switch e := e.(type) {
	case *expr.Masq:
		return true
	case *expr.NAT:
		return e.Type == expr.NATTypeSourceNAT
	case *expr.Target: // of iptables that speaks nftables
		return e.Name == "MASQUERADE" || e.Name == "SNAT"
	}
	return false
}
