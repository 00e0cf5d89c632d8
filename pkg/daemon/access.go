package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
)

// accessOf returns where the API is served by TCP, and to whom.
func accessOf(a *config.API) control.Access {
	to := control.Access{Listen: a.Listen, Certificate: a.Certificate, Key: a.Key, ClientCA: a.ClientCA}
	for _, t := range a.Tokens {
		to.Tokens = append(to.Tokens, control.Token{Name: t.Name, Role: control.Role(t.Role), File: t.File})
	}
	for _, c := range a.CertificateRoles {
		to.Certificates = append(to.Certificates, control.CertificateRole{Subject: c.Subject, Role: control.Role(c.Role)})
	}
	return to
}

// locked returns a warning for each file of the API, and of what is shown to other directors, that can't be read as things are.
func locked(cfg *config.Config) (list config.Diagnostics) {
	seen := map[string]bool{"": true}
	look := func(effect string, files ...string) {
		for _, f := range files {
			if seen[f] {
				continue
			}
			seen[f] = true
			if err := unix.Access(f, unix.R_OK); err != nil {
				list = append(list, cfg.Remark(f, fmt.Sprintf("%s: %s: %v", effect, f, err)))
			}
		}
	}
	a := &cfg.GlobalDefs.API
	look("the API refuses what needs this file until it is there", a.Certificate, a.Key, a.ClientCA)
	for _, t := range a.Tokens {
		look("the token "+t.Name+" opens nothing until it is there", t.File)
	}
	for _, p := range cfg.GlobalDefs.Peers {
		look("the director "+p.Name+" can't be asked until it is there", p.CA, p.Certificate, p.Key, p.TokenFile)
	}
	w := &cfg.GlobalDefs.Wishes
	look("the etcd of [global_defs.wishes] can't be asked until it is there", w.CA, w.Certificate, w.Key, w.Secret)
	return list
}
