package auth

// MaxAddresses is how many addresses a Limiter remembers.
const MaxAddresses = maxAddresses

// Len returns how many addresses are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recent.Len() != len(l.entries) {
		return -1
	}
	return len(l.entries)
}

// ParseKeySet returns how many keys a set has.
func ParseKeySet(body []byte) (int, error) {
	keys, err := parseKeySet(body)
	return len(keys), err
}

// QStashLeeway is by how much clocks may differ.
const QStashLeeway = qstashLeeway
