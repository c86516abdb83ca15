package web

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
)

// TestHubKeepsSoMuch: neither many events nor large ones fill the memory, and who
// comes back to what is forgotten is told so.
func TestHubKeepsSoMuch(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 10, "large": 700_000} {
		h := newHub("boot", 10)
		for range keptEvents + 100 {
			h.publish("update", uuid.New(), bytes.Repeat([]byte("x"), size))
			sum := 0
			for _, f := range h.kept {
				sum += len(f.text)
			}
			if sum != h.size || sum > keptBytes || len(h.kept) > keptEvents || len(h.kept) == 0 {
				t.Fatalf("%s: %d events of %d bytes are kept, counted as %d", name, len(h.kept), sum, h.size)
			}
		}
		if _, _, complete, err := h.join("", nil, "boot_1"); complete || err != nil {
			t.Errorf("%s: the first event is not kept, and nobody says so (%v)", name, err)
		}
		if _, missed, complete, err := h.join("", nil, "boot_2147"); !complete || len(missed) != 1 || err != nil {
			t.Errorf("%s: %d events after the last but one (%v)", name, len(missed), err)
		}
		h.gap()
		if _, missed, complete, err := h.join("", nil, "boot_2148"); !complete || len(missed) != 1 || err != nil {
			t.Errorf("%s: %d events after a gap (%v)", name, len(missed), err)
		}
		if _, _, complete, err := h.join("", nil, "boot_2147"); complete || err != nil {
			t.Errorf("%s: what was missed is not told (%v)", name, err)
		}
	}
}
