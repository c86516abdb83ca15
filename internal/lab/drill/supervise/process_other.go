//go:build !linux

package supervise

import "syscall"

// childAttributes keep a Ctrl-C on the terminal from a child.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
