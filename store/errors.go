package store

import (
	"errors"

	"gorgone/store/zone"
)

var (
	// ErrZoneNotFound is returned when a zone is named that does not exist.
	ErrZoneNotFound = zone.ErrNotFound

	// ErrTweetNotFound is returned when no row has the tweet or row id asked for.
	ErrTweetNotFound = errors.New("tweet not found")

	// ErrBadTweet is returned for a tweet that can not be tracked as it was given.
	ErrBadTweet = errors.New("bad tweet")
)
