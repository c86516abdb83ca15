package store

type shape struct{}
