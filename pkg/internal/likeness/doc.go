// Package likeness holds kernel tests of ipvsd beside keepalived, or beside a second ipvsd: the same verdicts, scripts, mails and roles.
package likeness
