package engagement

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The first byte of the binary form of an [Activity]: the second version is the first with
// the day that was paid for behind it.
const (
	activityVersion     = 1
	activityPaidVersion = 2
)

// activitySize is the length of version 1: the version, the time, seven pairs of sums,
// the expectation and the delta. Version 2 is activityPaidSize long.
const (
	activitySize     = 1 + 8 + (NumCounters+1)*8 + 8 + 4
	activityPaidSize = activitySize + 4
)

// secondsADay is the length of a UTC day.
const secondsADay = 24 * 60 * 60

var (
	_ encoding.BinaryAppender    = Activity{}
	_ encoding.BinaryUnmarshaler = (*Activity)(nil)
)

// AppendBinary appends the binary form, 77 bytes, big endian: the version (1), At in
// microseconds since 1970 (int64; 0: zero), Seen and Exposure of each counter and of
// Engagement (float32 each), Expected (float64), and Delta (int32). With a PaidDay it is 81
// bytes: the version (2), the same, and the days since 1970 (int32). [Model.Learn] returns values
// that fit it exactly. It returns an error for what is no finite number.
func (a Activity) AppendBinary(b []byte) ([]byte, error) {
	var at int64
	if !a.At.IsZero() {
		at = a.At.UnixMicro()
	}
	version := byte(activityVersion)
	if !a.PaidDay.IsZero() {
		version = activityPaidVersion
	}
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(at)) // #nosec G115 -- its bits
	for _, v := range a.sums() {
		v32 := float32(*v)
		if !isFinite(float64(v32)) {
			return nil, fmt.Errorf("encode activity: %g does not fit", *v)
		}
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(v32))
	}
	if !isFinite(a.Expected) {
		return nil, fmt.Errorf("encode activity: %g expected", a.Expected)
	}
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(a.Expected))
	delta := min(max(a.Delta, math.MinInt32), math.MaxInt32)
	b = binary.BigEndian.AppendUint32(b, uint32(int32(delta))) // #nosec G115 -- its bits
	if version == activityPaidVersion {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(UTCDay(a.PaidDay).Unix()/secondsADay))) // #nosec G115 -- its bits
	}
	return b, nil
}

var errActivity = errors.New("decode activity: not a known version, or cut short")

// UnmarshalBinary decodes what AppendBinary made. On an error the activity is as
// before.
func (a *Activity) UnmarshalBinary(data []byte) error {
	switch {
	case len(data) == activitySize && data[0] == activityVersion:
	case len(data) == activityPaidSize && data[0] == activityPaidVersion:
	default:
		return errActivity
	}
	*a = Activity{}
	if at := int64(binary.BigEndian.Uint64(data[1:])); at != 0 { // #nosec G115 -- its bits
		a.At = time.UnixMicro(at).UTC()
	}
	data = data[9:]
	for _, v := range a.sums() {
		*v = float64(math.Float32frombits(binary.BigEndian.Uint32(data)))
		data = data[4:]
	}
	a.Expected = math.Float64frombits(binary.BigEndian.Uint64(data))
	data = data[8:]
	a.Delta = int64(int32(binary.BigEndian.Uint32(data))) // #nosec G115 -- its bits
	if data = data[4:]; len(data) > 0 {
		a.PaidDay = time.Unix(int64(int32(binary.BigEndian.Uint32(data)))*secondsADay, 0).UTC() // #nosec G115 -- its bits
	}
	return nil
}

// sums are the sums in the order of the binary form.
func (a *Activity) sums() [2*NumCounters + 2]*float64 {
	c, e := &a.Counters, &a.Engagement
	return [...]*float64{
		&c[0].Seen, &c[0].Exposure, &c[1].Seen, &c[1].Exposure, &c[2].Seen, &c[2].Exposure,
		&c[3].Seen, &c[3].Exposure, &c[4].Seen, &c[4].Exposure, &c[5].Seen, &c[5].Exposure,
		&e.Seen, &e.Exposure,
	}
}

// rounded returns the activity with the precision of its binary form, so that what was
// stored and read back is what was computed.
func (a Activity) rounded() Activity {
	for _, v := range a.sums() {
		*v = float64(float32(*v))
	}
	return a
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
