package hosts

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// separate gives the calling thread, and what is started from it, a network of its own, and
// returns the device at its other end.
func separate(address netip.Prefix) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	device, _, err := openTUN("net%d")
	if err != nil {
		return nil, err
	}
	if err := raise("lo"); err != nil {
		_ = device.Close() // of no use
		return nil, err
	}
	if err := configure("net0", address); err != nil {
		_ = device.Close() // of no use
		return nil, err
	}
	return device, nil
}

// mount gives the calling thread, and what is started from it, an empty disk in a folder.
func mount(dir string, size int64) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	return unix.Mount("gorgone", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
}

// openTUN makes a network interface in the thread's namespace, whose packets the file reads
// and writes. The kernel puts a number, which it returns too, into the name. The interface is
// gone when the file is closed.
func openTUN(name string) (device *os.File, number int, err error) {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd) // of no use
		}
	}()
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, 0, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, 0, fmt.Errorf("make a network interface: %w", err)
	}
	if _, err := fmt.Sscanf(request.Name(), name, &number); err != nil {
		return nil, 0, fmt.Errorf("make a network interface: %s: %w", request.Name(), err)
	}
	return os.NewFile(uintptr(fd), path), number, nil
}

// configure gives an interface its address, and brings it up.
func configure(name string, address netip.Prefix) error {
	mask := ^uint32(0) << (32 - address.Bits())
	for _, set := range []struct {
		request uint
		value   [4]byte
	}{
		{unix.SIOCSIFADDR, address.Addr().As4()},
		{unix.SIOCSIFNETMASK, [4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}},
	} {
		err := change(name, set.request, func(r *unix.Ifreq) error { return r.SetInet4Addr(set.value[:]) })
		if err != nil {
			return fmt.Errorf("give interface %s address %s: %w", name, address, err)
		}
	}
	return raise(name)
}

// raise brings an interface up.
func raise(name string) error {
	err := change(name, unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return nil
	})
	if err != nil {
		return fmt.Errorf("bring interface %s up: %w", name, err)
	}
	return nil
}

// change asks the kernel for a change of an interface of the thread's namespace.
func change(name string, what uint, set func(*unix.Ifreq) error) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := set(request); err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket) //nolint:errcheck // nothing was written
	return unix.IoctlIfreq(socket, what, request)
}
