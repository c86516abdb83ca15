package supervise

import "syscall"

// childAttributes make a child end with us, and keep a Ctrl-C on the terminal
// from it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
