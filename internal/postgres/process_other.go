//go:build !linux

package postgres

import "syscall"

// dieWithParent does nothing here: what is left running is stopped by the next
// start over the same folder.
func dieWithParent(*syscall.SysProcAttr) {}
