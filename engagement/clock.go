package engagement

import (
	"math"
	"time"
)

// Clock is how active a zone's audience is by hour of the day in UTC: factors of mean
// 1 to what the [Kernel] alone expects, all above 0. Local time and daylight saving
// need no rule: the hours are UTC's and learnt again every day. The zero value stands
// for no clock, a factor of 1 at all hours.
type Clock [24]float64

// clockWithin is the age up to which hours are told apart. By then the rest of the
// engagement is small, and the hours of a day even out.
const clockWithin = 96 * time.Hour

// off reports that there is no clock.
func (c *Clock) off() bool { return c[0] == 0 }

// hour returns the factor of a tweet at an age, and the age at which the hour ends.
func (c *Clock) hour(createdAt time.Time, age time.Duration) (factor float64, end time.Duration) {
	at := createdAt.Add(age)
	second := at.Unix() % (24 * 3600)
	if second < 0 {
		second += 24 * 3600
	}
	into := time.Duration(second%3600)*time.Second + time.Duration(at.Nanosecond())
	return c[second/3600], age + time.Hour - into
}

// at returns the factor of a tweet at an age.
func (c *Clock) at(createdAt time.Time, age time.Duration) float64 {
	if c.off() || age >= clockWithin {
		return 1
	}
	factor, _ := c.hour(createdAt, age)
	return factor
}

// share is the part of a tweet's engagement that is expected between two ages, the sum
// over clock hours of ΔK·s. It is from 0 on, but over a whole life only about 1.
func (c *Clock) share(k Kernel, createdAt time.Time, from, to time.Duration) float64 {
	if c.off() || to <= from {
		return max(k.Share(to)-k.Share(from), 0)
	}
	sum, low := 0.0, k.Share(from)
	for at := from; at < to; {
		factor, end := 1.0, to
		if at < clockWithin {
			factor, end = c.hour(createdAt, at)
			end = min(end, to)
		}
		high := k.Share(end)
		sum += max(high-low, 0) * factor
		at, low = end, high
	}
	return sum
}

// after returns the age t > age by which ∫ √(K'·s) from age on reaches root (in
// √hours), or never when it does not get there. Within an hour of the clock that has
// the closed form of [Kernel.after]. Hours are told apart up to a day ahead.
func (c *Clock) after(k Kernel, createdAt time.Time, age time.Duration, root float64) time.Duration {
	if c.off() {
		return k.after(age, root)
	}
	scale, low := k.rootScale(), k.rootBy(age)
	at := age
	for at < min(age+24*time.Hour, clockWithin) {
		factor, end := c.hour(createdAt, at)
		height := math.Sqrt(factor) * scale
		high := k.rootBy(end)
		part := height * (high - low)
		if part >= root {
			return min(max(k.rootAge(low+root/height), at), end)
		}
		root -= part
		at, low = end, high
	}
	return k.after(at, root)
}

// power returns the clock raised to a power, its mean again 1; to the power of 0 none.
func (c Clock) power(p float64) Clock {
	if p == 0 || c.off() {
		return Clock{}
	}
	mean := 0.0
	for h := range c {
		c[h] = math.Pow(c[h], p)
		mean += c[h] / 24
	}
	for h := range c {
		c[h] /= mean
	}
	return c
}
