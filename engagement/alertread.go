package engagement

import "time"

// AlertInput is the outcome of a look-up, which alert rules are evaluated on.
type AlertInput struct {
	Before, After Tracking
	Observed      bool      // counts were observed and written
	Deleted       bool      // the tweet counts as deleted
	Snapshot      *Snapshot // nil: the look-up added none
	Forecast      *Forecast // nil: none was made
	Surprise      *Surprise // nil: there was nothing to be surprised at
}

// Reference is an older snapshot, which a velocity is measured against.
type Reference struct {
	At      time.Time
	Total   int64 // total engagement
	Changed bool  // the provider changed since, so the two cannot be compared
}

// Reference returns the snapshot before the look-up, if it is at least the window
// old. If it is not, older says whether an older one could let the rule be met
// (the tweet's whole engagement within the window would do) and is worth reading.
func (r AlertRule) Reference(l AlertInput) (ref Reference, found, older bool) {
	if l.Snapshot == nil || l.Before.SnapshotAt.IsZero() || l.Snapshot.ProviderChanged {
		return Reference{}, false, false
	}
	if l.Snapshot.At.Sub(l.Before.SnapshotAt) >= r.Window {
		return l.After.Gap.reference(Reference{At: l.Before.SnapshotAt, Total: l.Before.Snapshot.Total()}), true, false
	}
	if l.Snapshot.At.Sub(l.After.CreatedAt) < r.Window {
		return Reference{}, false, false // nothing can be that old
	}
	return Reference{}, false, float64(l.Snapshot.Metrics.Total()) >= r.Threshold*r.Window.Hours()
}

// Velocity reads a velocity rule: the engagements an hour since the reference. It
// is false when that is less than the window old, or another provider's.
func (r AlertRule) Velocity(l AlertInput, ref Reference) (AlertReading, bool) {
	if l.Snapshot == nil || ref.At.IsZero() || ref.Changed || l.Snapshot.ProviderChanged || r.Window <= 0 {
		return AlertReading{}, false
	}
	ref = l.After.Gap.reference(ref)
	apart := l.Snapshot.At.Sub(ref.At)
	if apart < r.Window {
		return AlertReading{}, false
	}
	reading := r.Compare(float64(l.Snapshot.Metrics.Total()-ref.Total) / apart.Hours())
	reading.Over = reading.Value > r.Threshold
	return reading, true
}

// Read reads a rule of any other kind. It is false when the look-up says
// nothing about it. first is whether the rule never raised an alert on the tweet: then a count
// must cross the threshold, rather than be beyond it, so that a new rule does not
// raise alerts on all that happened before. A count that was not known before
// counts as one below.
func (r AlertRule) Read(l AlertInput, first bool) (AlertReading, bool) {
	switch r.Kind {
	case AlertDeleted:
		return AlertReading{Value: 1, Over: l.Deleted, Clear: l.Observed}, l.Deleted || l.Observed
	case AlertTier:
		to := l.After.Tier
		changed := to != l.Before.Tier && (r.Tier == "" || r.Tier == to)
		return AlertReading{Value: float64(to.Heat()), Over: changed, Momentary: true}, changed
	case AlertStalled:
		return AlertReading{Clear: true}, l.Observed // raised by a check of its own
	case AlertCount:
		now, known := r.count(l.After.Metrics)
		if !l.Observed || !known {
			return AlertReading{}, false
		}
		reading := r.Compare(now)
		if before, known := r.count(l.Before.Metrics); first && known && before >= r.Threshold {
			reading.Over = false
		}
		return reading, true
	case AlertForecast:
		return r.forecast(l)
	case AlertBurst:
		if !l.Observed || l.Snapshot != nil && l.Snapshot.ProviderChanged {
			return AlertReading{}, false
		}
		if l.Surprise == nil {
			return AlertReading{Clear: true}, true
		}
		return r.Compare(l.Surprise.Digits), true
	default:
		return AlertReading{}, false
	}
}

// forecast is met while the mean of the forecast is beyond the threshold and the
// count is not. It is over when the count has passed, or is not expected to.
func (r AlertRule) forecast(l AlertInput) (AlertReading, bool) {
	now, known := r.count(l.After.Metrics)
	if !l.Observed || !known {
		return AlertReading{}, false
	}
	if now >= r.Threshold {
		return AlertReading{Value: now, Clear: true}, true
	}
	if l.Forecast == nil {
		return AlertReading{}, false
	}
	for _, h := range l.Forecast.Horizons {
		if h.Ahead != r.Window {
			continue
		}
		if r.Metric == AlertTotal {
			return r.Compare(h.Engagement.Mean), true
		}
		if c, ok := counterNamed(r.Metric); ok && h.Counts[c] != nil {
			return r.Compare(h.Counts[c].Mean), true
		}
	}
	return AlertReading{}, false
}

// count is the count that the rule reads.
func (r AlertRule) count(m Metrics) (n float64, known bool) {
	if r.Metric == AlertTotal {
		return float64(m.Total()), m.Known()
	}
	c, ok := counterNamed(r.Metric)
	count, known := m.Of(c).Get()
	return float64(count), ok && known
}
