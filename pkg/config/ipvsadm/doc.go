// Package ipvsadm reads and writes the table in the format of ipvsadm -S and -R: one command of ipvsadm a line, in all forms
// that ipvsadm 1.31 takes. Load returns a config.Config without checks, or diagnostics with positions, as package config does;
// Format writes a table.
//
// Nothing here asks a kernel or resolves a name: the table has to be saved with ipvsadm -Sn.
//
// Beyond what ipvsadm -S writes, Format writes thresholds (-x, -y), timeouts (--set) and sync daemons (--start-daemon), all of
// which ipvsadm -R understands; it does not understand comments, so there are none. Nothing here starts a goroutine.
package ipvsadm
