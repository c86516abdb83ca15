package postgres

import "syscall"

// dieWithParent has the kernel ask the server for a fast shutdown when we die.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
