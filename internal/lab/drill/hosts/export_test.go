package hosts

// On does something as the host sees the system.
func (h *Host) On(do func() error) error { return h.on(do) }
