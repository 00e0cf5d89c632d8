package main

import (
	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/config/dialect/dialecthost"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/daemon"
)

func checkCommand(a *app) *cobra.Command {
	var r daemon.Reading
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Say all that is wrong with a configuration file; needs no daemon",
		Long: `Say all that is wrong with a configuration file, without looking at the daemon or the kernel. ` + dialects + `
Exit codes: 0 the file is valid (warnings and notes are on stderr), 3 it is not.`,
		Args: files(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := load(args[0], r)
			if err != nil {
				return err
			}
			if a.output == "json" {
				problems := l.Problems
				if problems == nil {
					problems = config.Diagnostics{} // [] rather than null
				}
				err = a.print(problems, nil)
			} else {
				err = l.Print(a.stderr, l.Problems)
			}
			if err == nil && l.Config == nil {
				err = exit(exitConfig)
			}
			return err
		},
	}
	readingFlags(cmd, &r)
	strictFlag(cmd, &r.Strict)
	return cmd
}

// dialects says what files there are.
const dialects = `FILE is ipvsd's TOML, or a
keepalived.conf, a ldirectord.cf, a lvs.cf of Piranha's or the output of ipvsadm -Sn: what it says tells which.`

func readingFlags(cmd *cobra.Command, r *daemon.Reading) {
	cmd.Flags().StringVarP(&r.ConfigID, "config-id", "i", "", "`ID` of the lines of a keepalived.conf that begin with @ID (default: this host's name)")
}

func strictFlag(cmd *cobra.Command, strict *bool) {
	cmd.Flags().BoolVar(strict, "strict", false, "take warnings for errors")
}

// load reads a configuration with all that it includes, which may be for another host.
func load(name string, r daemon.Reading) (*dialect.Loaded, error) {
	host := dialecthost.New()
	text, err := host.ReadFile(name)
	if err != nil {
		return nil, err
	}
	l := new(dialect.Loader).Load(name, string(text), host, document.Settings{ConfigID: r.ConfigID, Elsewhere: true})
	if r.Strict {
		l.Strictly()
	}
	return l, nil
}
