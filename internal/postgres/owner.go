package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// owner is the user that runs the server.
type owner struct {
	name     string
	other    bool // not the user we run as
	uid, gid uint32
}

// serverOwner returns the user to run the server as: ourselves, or, as root,
// postgres or nobody.
func serverOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return owner{}, fmt.Errorf("read the ids of the user %s: %w", name, err)
		}
		return owner{name: name, other: true, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return owner{}, errors.New("postgres does not run as root, and there is neither a user postgres nor nobody to run it as: run as another user")
}

// command makes cmd run as the owner, in a process group of its own, so that a
// Ctrl-C on the terminal reaches only us.
func (o owner) command(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
}

// canEnter reports whether the owner gets into the folder.
func (o owner) canEnter(dir string) bool {
	cmd := exec.Command("/bin/sh", "-c", `cd "$1"`, "sh", dir)
	o.command(cmd)
	return cmd.Run() == nil
}

// mkdir makes a folder that only the owner can read.
func (o owner) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a folder for postgres: %w", err)
	}
	return o.own(dir)
}

// writeFile writes a file that only the owner can read.
func (o owner) writeFile(name, text string) error {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write a file for postgres: %w", err)
	}
	return o.own(name)
}

func (o owner) own(name string) error {
	if !o.other {
		return nil
	}
	if err := os.Chown(name, int(o.uid), int(o.gid)); err != nil {
		return fmt.Errorf("give %s to the user %s: %w", name, o.name, err)
	}
	return nil
}
