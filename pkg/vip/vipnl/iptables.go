package vipnl

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// iptablesChain makes a chain of our own hold these rules and be entered first from a built-in one; without rules there is none. It is
// for kernels that have the tables of iptables and not the families of nftables: with both, iptables is nftables. Program is iptables or
// ip6tables.
func iptablesChain(program, table, hook, chain string, rules []string) error {
	// Where both are installed, the plain name is the one that speaks nftables.
	path, err := exec.LookPath(program + "-legacy")
	if err != nil {
		path, err = exec.LookPath(program)
	}
	if err != nil && len(rules) == 0 {
		return nil // nothing can be there
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoFirewall, err)
	}
	run := func(input string, program string, args ...string) error {
		cmd := exec.Command(program, append(args, "-w", "5")...)
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w that work: %s: %w: %s", errNoFirewall, strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
		}
		return nil
	}
	entered := run("", path, "-t", table, "-C", hook, "-j", chain) == nil
	if len(rules) == 0 {
		if entered {
			err = run("", path, "-t", table, "-D", hook, "-j", chain)
		}
		if err == nil && run("", path, "-t", table, "-F", chain) == nil {
			err = run("", path, "-t", table, "-X", chain)
		}
		return err
	}
	// All rules at once, or none.
	input := fmt.Sprintf("*%s\n:%s - [0:0]\n-A %[2]s %s\nCOMMIT\n", table, chain, strings.Join(rules, "\n-A "+chain+" "))
	if err := run(input, path+"-restore", "--noflush"); err != nil || entered {
		return err
	}
	return run("", path, "-t", table, "-I", hook, "-j", chain)
}
