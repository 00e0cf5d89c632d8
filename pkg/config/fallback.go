package config

import "github.com/ipvsd/ipvsd/pkg/ipvs"

// isFallback says whether a word is the flag of a scheduler that lets a client pass over a server that takes none.
func isFallback(name string) bool { return name == "sh-fallback" || name == "mh-fallback" }

// inhibits is inhibit_on_failure when it is not written.
func inhibits(s *ipvs.Service) bool { return defaultOf("inhibit_on_failure").(bool) }
