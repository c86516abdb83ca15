//go:build !linux

package hosts

import (
	"errors"
	"net/netip"
	"os"
)

func separate(netip.Prefix) (*os.File, error) { return nil, errors.ErrUnsupported }

func openTUN(string) (device *os.File, number int, err error) { return nil, 0, errors.ErrUnsupported }

func mount(string, int64) error { return errors.ErrUnsupported }

func configure(string, netip.Prefix) error { return errors.ErrUnsupported }
